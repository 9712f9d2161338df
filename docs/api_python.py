"""Python's pages: the public names of each module, from the sources, with signatures and docstrings."""

from __future__ import annotations

import re
from pathlib import Path

import griffe

MODULES = {
    "sockline": "What most programs need.",
    "sockline.sync.client": "",
    "sockline.sync.server": "",
    "sockline.sync.router": "",
    "sockline.socketio": "",
    "sockline.exceptions": "",
    "sockline.options": "",
    "sockline.tls": "",
}
ROLE = re.compile(r":\w+:`~?(?:[\w.]+ <)?([\w.]+)>?`")
# Attributes that every instance of some base class has are told there.
KINDS = {griffe.Kind.FUNCTION, griffe.Kind.ATTRIBUTE}


def markdown(docstring: griffe.Docstring | None) -> str:
    """A docstring's reStructuredText, as far as ours use it."""
    if docstring is None:
        return ""
    text = ROLE.sub(r"`\1`", docstring.value).replace("``", "`")
    text = re.sub(r"^\.\. code-block:: (\w+)\n\n((?:    .*\n|\n)+)", lambda code: f"```{code[1]}\n{code[2].rstrip()}\n```\n", text + "\n", flags=re.MULTILINE)
    return text.strip() + "\n\n"


def signature(function: griffe.Function, name: str) -> str:
    parameters = [one for one in function.parameters if one.name not in ("self", "cls")]
    said, names_only, shown = "", False, []
    for one in parameters:
        if one.kind is griffe.ParameterKind.keyword_only and not names_only:
            names_only = True
            if not any(each.startswith("*") for each in shown):
                shown.append("*")
        stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(one.kind, "")
        names_only = names_only or stars == "*"
        kind = f": {one.annotation}" if one.annotation else ""
        default = f" = {one.default}" if one.default is not None and not stars else ""
        shown.append(f"{stars}{one.name}{kind}{default}")
    said = ", ".join(shown)
    result = f" -> {function.returns}" if function.returns else ""
    whole = f"{'async ' if 'async' in function.labels else ''}def {name}({said}){result}"
    if len(whole) > 100:
        whole = whole.replace(f"({said})", "(\n" + "".join(f"    {each},\n" for each in shown) + ")")
    return f"```python\n{whole}\n```\n\n"


def resolved(member: griffe.Object | griffe.Alias) -> griffe.Object | None:
    try:
        return member.final_target if member.is_alias else member  # type: ignore[union-attr, return-value]
    except griffe.GriffeError:
        return None


def function_page(level: str, name: str, function: griffe.Function) -> str:
    return f"{level} {name}\n\n{signature(function, name)}{markdown(function.docstring)}"


def attribute_page(level: str, name: str, attribute: griffe.Attribute) -> str:
    kind = f": {attribute.annotation}" if attribute.annotation else ""
    return f"{level} {name}\n\n`{name}{kind}`\n\n{markdown(attribute.docstring)}"


def class_page(name: str, one: griffe.Class) -> str:
    bases = ", ".join(str(base) for base in one.bases if not str(base).startswith("_"))
    text = f"### {name}\n\n" + (f"A `{bases}`.\n\n" if bases else "") + markdown(one.docstring)
    made = one.all_members.get("__init__") or one.all_members.get("__new__")
    if made and isinstance(target := resolved(made), griffe.Function):
        text += signature(target, name).replace("def ", "class ", 1).replace(" -> None", "").replace(" -> Self", "")
        text += markdown(target.docstring)
    for member, found in sorted(one.all_members.items()):
        target = resolved(found)
        if member.startswith("_") or target is None or target.kind not in KINDS or not target.has_docstring:
            continue
        page = function_page if isinstance(target, griffe.Function) else attribute_page
        text += page("####", f"{name}.{member}", target)  # type: ignore[arg-type]
    return text


def module_page(path: str, why: str, package: griffe.Module) -> str:
    module = package if path == "sockline" else package[path.removeprefix("sockline.")]
    text = f"## {path}\n\n{markdown(module.docstring)}{why}\n\n"
    for name in sorted(module.exports or ()):
        target = resolved(module[str(name)]) if str(name) in module.members else None
        if isinstance(target, griffe.Class):
            text += class_page(str(name), target)
        elif isinstance(target, griffe.Function):
            text += function_page("###", str(name), target)
        elif isinstance(target, griffe.Attribute) and target.has_docstring:
            text += attribute_page("###", str(name), target)
    return text


def page_of(folder: Path) -> str:
    package = griffe.load("sockline", search_paths=[folder], resolve_aliases=True, allow_inspection=False)
    return "# Python\n\n" + "".join(module_page(path, why, package) for path, why in MODULES.items())  # type: ignore[arg-type]
