"""The raw figures of a run, as JSON: README.md says what is in it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Iterable, Sequence

import versions
from report import Case, Idle, IdleCase, Slice

FORM = 2  # of the JSON; the first one had neither versions nor what the cases are


def header() -> dict[str, Any]:
    """What was measured with what, and when."""
    return {
        "form": FORM,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": versions.machine(),
        "source": versions.source(),
        "toolchain": versions.toolchain(),
        "versions": versions.peers(),
    }


def described(cases: Iterable[Case | IdleCase]) -> dict[str, Any]:
    """What the cases are, so that figures can be read without this program."""
    return {case.name: {**asdict(case), "title": case.title(), "reference": case.reference} for case in cases}


def text(figures: dict[str, Any]) -> str:
    """With a line for each figure, so that long lists stay short files and differences can be seen."""
    members = [f" {json.dumps(name)}: {member(value)}" for name, value in figures.items()]
    return "{\n" + ",\n".join(members) + "\n}\n"


def member(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n  " + ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n ]"
    if isinstance(value, dict) and value:
        lines = (f"{json.dumps(name)}: {json.dumps(item, ensure_ascii=False)}" for name, item in value.items())
        return "{\n  " + ",\n  ".join(lines) + "\n }"
    return json.dumps(value, ensure_ascii=False)


def read(path: Path) -> dict[str, Any]:
    figures = json.loads(path.read_text())
    if figures.get("form") != FORM:
        raise ValueError(f"{path}: form {figures.get('form')}, not {FORM}: measured by another version of this program")
    return figures


def slices_of(figures: dict[str, Any]) -> list[Slice]:
    return [Slice(**part) for part in figures["slices"]]


def idle_of(figures: dict[str, Any]) -> list[Idle]:
    return [Idle(**figure) for figure in figures["idle"]]


def as_dicts(parts: Sequence[Slice | Idle]) -> list[dict[str, Any]]:
    """Without what only some have, such as histograms."""
    return [{name: value for name, value in asdict(part).items() if value not in ([], ())} for part in parts]
