"""The header as a page: its comments are the manual, its declarations stand below them."""

from __future__ import annotations

import re
from textwrap import dedent

SECTION = re.compile(r"^/\*\n \* (?P<title>[^\n]+)\n \*/$", re.MULTILINE)
# What one comment is about: a type up to its closing line, or all up to the first line that ends a declaration.
ITEM = re.compile(r"^/\*\*(?P<comment>.*?)\*/\n(?P<code>typedef (?:struct|enum) \w+ \{.*?^\} \w+;|(?!#).*?;$|#define[^\n]*)", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^    /\*\*(?P<comment>.*?)\*/\n    (?P<code>[^/]+?[;,])$", re.DOTALL | re.MULTILINE)
NAMES = (
    r"^typedef (?:struct|enum) (\w+)",
    r"^typedef [^(]*\(\*(\w+)\)\(",
    r"^(?!typedef|#)[\w *]*?(\w+)\(",
    r"^typedef .*?(\w+);$",
    r"#define (\w+)",
)


def prose(comment: str) -> str:
    """The text of a comment, without its stars."""
    lines = (re.sub(r"^\s*\*? ?", "", line) for line in comment.strip().splitlines())
    return escape("\n".join(lines).strip())


def escape(text: str) -> str:
    """Names as code; what Markdown would take for its own stays as it is."""
    text = re.sub(r"(?<![`\w])((?:SOCKLINE|sockline)_\w+)", r"`\1`", text)
    return text.replace("<", "&lt;").replace("*", r"\*").replace(" _", r" \_")


def name_of(code: str) -> str:
    for pattern in NAMES:
        if found := re.search(pattern, code):
            return found[1]
    return code.split()[-1]


def item_page(comment: str, code: str) -> str:
    fields = FIELD.findall(code)
    head = f"### {name_of(code)}\n\n{prose(comment)}\n\n"
    if not fields:
        return f"{head}```c\n{code}\n```\n"
    rows = "".join(f"| `{cell(one)}` | {cell(prose(text))} |\n" for text, one in fields)
    return f"{head}| | |\n|---|---|\n{rows}"


def cell(text: str) -> str:
    return " ".join(text.rstrip(";,").split()).replace("|", r"\|")


def intro(header: str) -> str:
    """The header's first comment: a program, which is indented further, and how to read the rest, a list of words."""
    text = header[header.index("/*") + 2 : header.index("*/")]
    page = re.sub(r"^ \*( |$)", "", text.strip("\n"), flags=re.MULTILINE).strip()
    page = re.sub(r"(?:^    .*\n|^\n(?=    ))+", lambda code: f"\n```c\n{dedent(code[0]).strip()}\n```\n", page, count=1, flags=re.MULTILINE)
    words = re.compile(r"^  (\w+) {2,}(.*(?:\n {10,}.*)*)", re.MULTILINE)
    return words.sub(lambda word: f"- **{word[1]}**: {prose(word[2])}", page)


def page_of(header: str) -> str:
    parts = SECTION.split(header[header.index("#ifndef SOCKLINE_H") :])
    page = f"# C\n\nFrom [sockline.h](../files/include/sockline.h).\n\n{intro(header)}\n"
    for title, text in zip(parts[1::2], parts[2::2]):
        items = [item_page(found["comment"], found["code"]) for found in ITEM.finditer(text)]
        if items:
            name, _, more = title.partition(". ")
            page += "\n\n".join([f"\n## {name}", *([escape(more)] if more else []), "\n".join(items)])
    return page
