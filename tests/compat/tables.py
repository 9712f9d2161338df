"""Tables of what another package has and what of it is here.

What differs is said in `<package>.json`, once: for each section of names, or several (`"Server, AsyncServer"`, `"*"` for all),
`differs`, `refused` or `missing`, and how or why. What is in no list has to be here, with the same arguments. The scripts that
write the tables compare that with the packages as they are installed, and a table that is not true is a test that fails.
`bindings/node/test/compat/tables.js` is the same for the packages of npm.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

SUPPORTED, DIFFERS, REFUSED, MISSING = "supported", "differs", "refused", "missing"


@dataclass
class Name:
    """A name of theirs, and what was found out about it here."""

    name: str
    found: str = SUPPORTED
    """`SUPPORTED` if it is here at all, `REFUSED` if using it raises NotImplementedError, else `MISSING`."""
    difference: str = ""
    """What a call that is right there would meet here."""
    today: str = ""
    """What becomes of one that is missing, as far as that was tried."""


@dataclass
class Section:
    title: str
    names: list[Name]
    added: list[str] = field(default_factory=list)
    """Names of ours that they don't have."""


class Said:
    """What the lists say."""

    def __init__(self, package: str) -> None:
        self.data: dict[str, Any] = json.loads((ROOT / f"tests/compat/{package}.json").read_text())
        self.page = ROOT / f"docs/compat/{package}.md"
        self._used: set[tuple[str, str]] = set()
        self._entries: dict[tuple[str, str], tuple[str, str]] = {}
        for sections, names in self.data["names"].items():
            for section in sections.split(", "):
                for several, text in names.items():
                    for name in several.split(", "):
                        state, _, reason = text.partition(": ")
                        if state not in (DIFFERS, REFUSED, MISSING) or not reason:
                            raise ValueError(f"{section}, {name}: {text!r}")
                        self._entries[section, name] = (state, reason)

    def about(self, section: str, name: str) -> tuple[str, str]:
        for key in ((section, name), ("*", name)):
            if key in self._entries:
                self._used.add(key)
                return self._entries[key]
        return SUPPORTED, ""

    def unused(self) -> list[tuple[str, str]]:
        return sorted(self._entries.keys() - self._used)


def untrue(said: Said, sections: Iterable[Section]) -> list[str]:
    """What the lists say that is not so, and what they don't say."""
    wrong = []
    for section in sections:
        for name in section.names:
            state, reason = said.about(section.title, name.name)
            where = f"{section.title}: {name.name}"
            expected = SUPPORTED if state == DIFFERS else state
            if name.found != expected:
                wrong.append(f"{where} is {name.found}, and the list says {state}")
            elif state == MISSING and not reason.startswith(name.today):
                wrong.append(f"{where} is {name.today}, and the list says {reason}")
            elif state == SUPPORTED and name.difference:
                wrong.append(f"{where} differs, and is in no list: {name.difference}")
    return wrong + [f"{section}: {name} is in a list, and there is no such name" for section, name in said.unused()]


def page(said: Said, sections: Iterable[Section], command: str) -> str:
    """The document."""
    lines = [f"# {said.data['title']}", ""]
    lines += [f"<!-- Written by `{command}` from tests/compat/; don't change it here. -->", ""]
    lines += said.data["intro"]
    lines += ["", *LEGEND]
    for section in sections:
        lines += ["", f"## {section.title}", "", *_table(said, section)]
    return "\n".join(lines) + "\n"


LEGEND = [
    "*Differs*: it is here, and the table says how. *Refused*: using it is an error that says why. *Missing*: it is not here,",
    "and the table says what happens when a program uses it.",
]


def _table(said: Said, section: Section) -> Iterator[str]:
    rows = [(name.name, *said.about(section.title, name.name)) for name in section.names]
    supported = [name for name, state, _ in rows if state == SUPPORTED]
    if supported:
        yield f"Supported: {_listed(supported)}."
    others = [row for row in rows if row[1] != SUPPORTED]
    if others:
        if supported:
            yield ""
        yield from ("| name | here | how, or why |", "|---|---|---|")
    grouped: dict[tuple[str, str], list[str]] = {}
    for name, state, reason in others:
        grouped.setdefault((state, reason), []).append(name)
    for (state, reason), names in grouped.items():
        yield f"| {_listed(names)} | {state} | {reason} |"
    if section.added:
        yield from ("", f"Only here: {_listed(section.added)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# What is compared


def public(owner: object) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


def difference(theirs: Any, ours: Any) -> str:
    """Why a call that is right for theirs would not mean the same for ours; empty if it does."""
    if inspect.iscoroutinefunction(theirs) != inspect.iscoroutinefunction(ours) and not inspect.isclass(theirs):
        if _is_python(ours):
            return "one is a coroutine, the other is not"
    try:
        wanted = list(inspect.signature(theirs).parameters.values())
        had = list(inspect.signature(ours).parameters.values())
    except (TypeError, ValueError):
        return ""
    for place, parameter in enumerate(wanted):
        why = _argument(place, parameter, had)
        if why:
            return why
    needed = [one.name for one in had if one.default is one.empty and one.kind not in (2, 4)]
    known = {one.name for one in wanted}
    return "".join(f"needs {name}" for name in needed if name not in known)


def _is_python(function: Any) -> bool:
    """Whether a function says by itself that it is a coroutine: of what is made in the engine only its documentation does."""
    return inspect.isfunction(getattr(function, "__func__", function))


def _argument(place: int, wanted: inspect.Parameter, had: list[inspect.Parameter]) -> str:
    if wanted.kind in (wanted.VAR_POSITIONAL, wanted.VAR_KEYWORD):
        return "" if any(one.kind == wanted.kind for one in had) else f"no {wanted}"
    named = [index for index, one in enumerate(had) if one.name == wanted.name]
    if not named:
        takes_any = wanted.kind == wanted.KEYWORD_ONLY and any(one.kind == one.VAR_KEYWORD for one in had)
        return "" if takes_any else f"no argument {wanted.name}"
    ours = had[named[0]]
    if wanted.name != "self":
        if wanted.kind != wanted.KEYWORD_ONLY and (named[0] != place or ours.kind == ours.KEYWORD_ONLY):
            return f"argument {wanted.name} is at another place"
        if wanted.kind != wanted.POSITIONAL_ONLY and ours.kind == ours.POSITIONAL_ONLY:
            return f"argument {wanted.name} has no name"
        if not _same(wanted.default, ours.default):
            return f"the default of {wanted.name} is {ours.default!r}, not {wanted.default!r}"
    return ""


def _same(theirs: Any, ours: Any) -> bool:
    if callable(theirs) and callable(ours):
        return bool(theirs is ours or theirs.__name__ == ours.__name__)
    if isinstance(theirs, str) and theirs.startswith("Python/"):
        return isinstance(ours, str) and ours.startswith("Python/")
    return bool(theirs == ours)


def tried(name: str, use: Callable[[], object]) -> Name:
    """What becomes of a use: accepted, refused, or another error."""
    try:
        use()
    except NotImplementedError:
        return Name(name, REFUSED)
    except Exception as error:
        return Name(name, MISSING, today=type(error).__name__)
    return Name(name)


def members(theirs: object, ours: object, title: str, refused: Iterable[str] = ()) -> Section:
    """The attributes and methods of a class or a living object."""
    names = []
    for name in public(theirs):
        if name in refused:
            names.append(Name(name, REFUSED))
        elif hasattr(ours, name):
            names.append(Name(name, SUPPORTED, difference_of_members(theirs, ours, name)))
        else:
            names.append(Name(name, MISSING))
    known = set(public(theirs))
    return Section(title, names, [name for name in public(ours) if name not in known])


def difference_of_members(theirs: object, ours: object, name: str) -> str:
    their_own, our_own = getattr(theirs, name), getattr(ours, name)
    if not callable(their_own) or not callable(our_own):
        return "one can be called, the other can't" if callable(their_own) != callable(our_own) else ""
    return difference(their_own, our_own)


def names_of(module: Any) -> list[str]:
    """What a module has for others: its `__all__`, or what was made in it."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    own = ((name, value) for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value))
    return sorted(name for name, value in own if getattr(value, "__module__", None) == module.__name__)


def module_names(theirs: Any, ours: Any, title: str, without: Iterable[str] = ()) -> Section:
    names = []
    for name in names_of(theirs):
        if name in without:
            continue
        if not hasattr(ours, name):
            names.append(Name(name, MISSING))
            continue
        value = getattr(theirs, name)
        why = difference(value, getattr(ours, name)) if callable(value) and not _is_alias(value) else ""
        names.append(Name(name, SUPPORTED, why))
    known = set(names_of(theirs))
    return Section(title, names, [name for name in names_of(ours) if name not in known])


def _is_alias(value: Any) -> bool:
    """Of types: `Data = str | bytes`, and classes whose arguments are no affair of applications."""
    return not inspect.isfunction(value) and not inspect.isclass(value)
