"""What `compress` reaches on real sets: `python -m tests.benchmarks.compression [NAME ...]`.

Each network is trained anew and compressed with the options written here. Of the variants that lose at most a point on
the test part, the smallest one counts for size and the fastest one for speed. `resnet` takes half an hour.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton_lab.compression.record import Table, Variant, loss_points
from tests.benchmarks.rows import Row, put, row
from tests.benchmarks.spine import fresh_session

MOST_POINTS = 1.0


@dataclass(frozen=True)
class Goal:
    """A network on a set, how it is trained and compressed, and how much smaller it has to become."""

    name: str
    path: str
    model: str
    times_smaller: float
    data: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    compress: dict[str, Any] = field(default_factory=dict)


GOALS = (
    Goal("cnn", "fashion-mnist", "cnn", 10, train={"epochs": 3}, compress={"epochs": 1}),
    Goal(
        "rnn",
        "sentence-polarity/sentence_polarity.csv",
        "rnn",
        10,
        data={"test_fraction": 0.1},
        compress={"epochs": 1, "levels": 8},
    ),
    Goal("resnet", "fashion-mnist", "resnet", 20, train={"epochs": 2}, compress={"epochs": 0.6}),
)


def measure(names: Sequence[str] = ()) -> list[Row]:
    """Rows of the networks of these names; of all without names. Empty where the real sets are not there."""
    material = Path(os.environ.get("LEPTON_TEST_DATA", "../shared/data")).resolve()
    if not material.is_dir():
        print(f"compression is left out: {material} is not there (set LEPTON_TEST_DATA)", file=sys.stderr)
        return []
    return [found for goal in GOALS if not names or goal.name in names for found in _measure(goal, material)]


def _measure(goal: Goal, material: Path) -> list[Row]:
    with fresh_session() as session:
        if goal.path == "fashion-mnist":
            session.load_data("fashion-mnist", mirror=str(material), **goal.data)
        else:
            session.load_data(str(material / goal.path), **goal.data)
        session.select_model(goal.model)
        run = session.current_model().train(wait=True, **goal.train)
        made = run.compress(wait=True, recipes="prune+share,prune+static-int8", max_loss=MOST_POINTS, **goal.compress)
        table = made.table
        chosen = table.row(table.chosen or "original")
        what = f"{Path(goal.path).stem} {goal.model}"
        smaller = f"{what}: times smaller than float32 safetensors at a loss of at most {MOST_POINTS:g} point"
        faster = f"{what}: times faster than eager torch at batch 1, compressed, at the same loss"
        good = [each for each in table.rows[1:] if not each.problem and loss_points(table, each) <= MOST_POINTS]
        quickest = max(good, key=lambda each: each.times_faster, default=chosen)
        return [
            row("serve", smaller, [chosen.times_smaller], f">= {goal.times_smaller:g}", **_about(table, chosen)),
            row("serve", faster, [quickest.times_faster], ">= 4.5", **_about(table, quickest)),
        ]


def _about(table: Table, variant: Variant) -> dict[str, Any]:
    """What a row says of the variant that it is about."""
    return {"variant": variant.name, "points_lost": round(loss_points(table, variant), 2), "bytes": variant.bytes}


if __name__ == "__main__":
    sys.exit(0 if put(measure(sys.argv[1:]), Path("bench.json")) else 1)
