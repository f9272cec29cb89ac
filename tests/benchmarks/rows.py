"""One row per figure: what was measured, what was reached, what was wanted."""

from __future__ import annotations

import json
import operator
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt, "==": operator.eq}


@dataclass(frozen=True)
class Row:
    """A measured figure and the goal it is held against.

    Attributes:
        issue: The part of the product: spine, data, kernel, runs, serve, workbench or scale.
        measure: What was measured, with its unit.
        value: The median of what was measured.
        goal: The goal as it was set, "<= 2.0" for example; "report" where there is none.
        holds: Whether the value meets the goal.
        samples: Every single measurement behind the value.
        peer: The peer's figure and the ratio, where a peer ran in the same run.
    """

    issue: str
    measure: str
    value: Any
    goal: str
    holds: bool
    samples: Sequence[Any] = ()
    peer: dict[str, Any] = field(default_factory=dict)


def row(issue: str, measure: str, samples: Sequence[float], goal: str, **peer: Any) -> Row:
    """A row whose value is the median of `samples`, held against a goal like "<= 2.0"."""
    value = round(statistics.median(samples), 4)
    if goal == "report":
        return Row(issue, measure, value, goal, True, [round(s, 4) for s in samples], peer)
    sign, limit = goal.split()
    return Row(issue, measure, value, goal, COMPARE[sign](value, float(limit)), [round(s, 4) for s in samples], peer)


def read(path: Path) -> list[Row]:
    """The rows of a file that `write` has made; none where there is no such file."""
    return [Row(**each) for each in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def put(rows: Sequence[Row], path: Path) -> bool:
    """Writes the rows in the place of the same ones of the file, whose others stay; whether these meet their goals."""
    fresh = {(row.issue, row.measure) for row in rows}
    write([*(row for row in read(path) if (row.issue, row.measure) not in fresh), *rows], path)
    return all(row.holds for row in rows)


def write(rows: Sequence[Row], path: Path) -> bool:
    """Writes the rows as JSON, prints them as a table, and says whether every goal is met."""
    path.write_text(json.dumps([asdict(r) for r in rows], indent=1), encoding="utf-8")
    wide = max(len(r.measure) for r in rows)
    for r in rows:
        peer = "  " + ", ".join(f"{k} {v}" for k, v in r.peer.items()) if r.peer else ""
        print(f"{'ok  ' if r.holds else 'MISS'} {r.issue:9} {r.measure:{wide}}  {r.value!s:>10}  goal {r.goal}{peer}")
    print(f"{sum(r.holds for r in rows)} of {len(rows)} goals met; written to {path}")
    return all(r.holds for r in rows)
