"""What was not measured in this run, nor could be: `measured_elsewhere.json`, shown beside ours as a fixed ratio to a row
that is in the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIGURES: dict[str, Any] = json.loads((Path(__file__).parent / "measured_elsewhere.json").read_text())
MARK = "*"
NOTE = (
    f"{MARK} not run here, since there is no package of it: measured apart on such a machine, as a fixed ratio to another "
    "row (measured_elsewhere.json)"
)
SHORT_NOTE = f"{MARK} measured apart, on such a machine: a fixed ratio to a row that is here"


@dataclass(frozen=True)
class Fixed:
    row: str
    reference: str
    ratio: float


def of_case(case: str) -> list[Fixed]:
    return [Fixed(one["row"], one["reference"], one["ratio"]) for one in FIGURES["rows"] if one["case"] == case]


def bytes_of(case: str) -> dict[str, int]:
    """Of an idle connection, by row."""
    memory = FIGURES["memory"]
    return {memory["row"]: memory["bytes"]} if memory["case"] == case else {}
