"""Test accuracy on real sets with the options that the product chooses itself: `python -m tests.benchmarks.accuracy`.

Every figure is what a person gets who loads the set and types `train`: default network (where the goal does not name
one), default options, the test part, seeds 0, 1 and 2, the median. Each run is written to `accuracy.json` as soon as it
is done; the next call goes on where the last one ended. Names of sets on the line restrict it to them, `--seeds 1` to
one seed, `--again` measures what is there already once more.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.rows import Row, put
from tests.benchmarks.spine import fresh_session

RECORD = Path("accuracy.json")


@dataclass(frozen=True)
class Goal:
    """A set, the network that learns it, and what it should reach.

    Attributes:
        name: How the line calls it.
        path: File or folder below the folder of test sets; a function makes one from it and a scratch folder.
        figure: Field of the report that counts.
        goal: ">= 0.95", "<= 0.38" or "report".
        model: The network; None takes the default.
        data: Options of the set, as its usual split asks for them.
        train: Options of training that the goal itself sets.
        seeds: How many runs.
        of: The set whose runs this figure is taken from, where it is one more figure of the same runs.
    """

    name: str
    path: str | Callable[[Path, Path], Path]
    figure: str
    goal: str
    model: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    seeds: int = 3
    of: str | None = None

    @property
    def runs(self) -> str:
        """Name of the set under which the runs are written down."""
        return self.of or self.name


def _in_scope(material: Path, scratch: Path) -> Path:
    """CLINC150 without its out-of-scope questions, in its own three parts, as a CSV file."""
    parts = json.loads((material / "clinc150" / "data_full.json").read_text())
    path = scratch / "clinc150-in-scope.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "intent", "split"])
        for part, said in (("train", "train"), ("val", "validation"), ("test", "test")):
            writer.writerows([*row, said] for row in parts[part])
    return path


_SPOKEN = {"pattern": "{label}_{speaker}_{index}"}
_TS = "ucr-uea/{}_TRAIN.ts"

GOALS: tuple[Goal, ...] = (
    Goal("sign-language-digits", "sign-language-digits/images", "accuracy", ">= 0.95", "cnn"),
    Goal(
        "free-spoken-digit",
        "free-spoken-digit/recordings",
        "accuracy",
        ">= 0.985",
        "cnn",
        data={**_SPOKEN, "test_where": "index<5"},
    ),
    Goal(
        "free-spoken-digit-speaker",
        "free-spoken-digit/recordings",
        "accuracy",
        ">= 0.8",
        "cnn",
        data={**_SPOKEN, "test_where": "speaker=theo", "roles": "speaker=group"},
    ),
    Goal(
        "sentence-polarity",
        "sentence-polarity/sentence_polarity.csv",
        "accuracy",
        ">= 0.775",
        "rnn",
        data={"test_fraction": 0.1},
    ),
    Goal("clinc150", _in_scope, "accuracy", ">= 0.93", data={"target": "intent", "roles": "split=split"}),
    Goal("names", "names-by-nationality/names", "accuracy", "report", "rnn"),
    Goal("names-balanced", "names-by-nationality/names", "recall_macro", "report", "rnn", of="names"),
    Goal("japanese-vowels", _TS.format("JapaneseVowels"), "accuracy", ">= 0.97"),
    Goal("gunpoint", _TS.format("GunPoint"), "accuracy", ">= 0.97"),
    Goal("italy-power-demand", _TS.format("ItalyPowerDemand"), "accuracy", ">= 0.96"),
    Goal("basic-motions", _TS.format("BasicMotions"), "accuracy", ">= 0.95"),
    Goal(
        "etth1-96",
        "ett/ETTh1.csv",
        "mse",
        "<= 0.38",
        data={"window": 336, "horizon": 96, "time_split": "12/4/4 months"},
    ),
    Goal("adult", "adult", "accuracy", ">= 0.865", data={"target": "income"}),
    Goal("wine-white", "wine-quality/white.csv", "mae", "<= 0.52"),
    Goal("movietweetings", "movietweetings-100k/ratings.dat", "rmse", "<= 1.5"),
    Goal("bccd", "bccd", "map50", ">= 0.75", seeds=1),
    Goal("fashion-mnist-cnn", "fashion-mnist", "accuracy", ">= 0.935", "cnn"),
    Goal("fashion-mnist-resnet", "fashion-mnist", "accuracy", ">= 0.95", "resnet", seeds=1),
    Goal("tiny-shakespeare", "tiny-shakespeare/input.txt", "loss", "<= 1.75"),
)
"""The table of the goals, set by set."""

NAMED = ("fashion-mnist",)
"""Sets that the product knows by name and takes from a mirror."""


def measure(goal: Goal, seed: int, material: Path) -> dict[str, Any]:
    """One run of one set: the figure on the test part, the time, and what was chosen."""
    with fresh_session() as session:
        if goal.path in NAMED:
            session.load_data(str(goal.path), mirror=str(material))
        else:
            scratch = Path(session.store.root)
            path = goal.path(material, scratch) if callable(goal.path) else material / goal.path
            session.load_data(str(path), **goal.data)
        model = session.select_model(goal.model)
        began = time.time()
        run = model.train(wait=True, seed=seed, **goal.train)
        report = run.evaluate().to_dict()
        started = [event for event in run.record.events() if event["type"] == "RunStarted"][-1]
        return {
            "report": {name: value for name, value in report.items() if isinstance(value, int | float)},
            "model": model.name,
            "epochs": run.summary.epochs,
            "num_parameters": started["num_parameters"],
            "training_seconds": round(run.summary.elapsed_seconds, 1),
            "seconds": round(time.time() - began, 1),
        }


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The runs that are done, by "set/seed"."""
    return json.loads(path.read_text()) if path.exists() else {}


def rows(done: dict[str, dict[str, Any]]) -> list[Row]:
    """A row for each set that has a run."""
    found = []
    for goal in GOALS:
        runs = [run for key, run in sorted(done.items()) if key.rpartition("/")[0] == goal.runs]
        if not runs:
            continue
        values = [run["report"][goal.figure] for run in runs]
        value = round(statistics.median(values), 4)
        sign, _, limit = goal.goal.partition(" ")
        holds = sign == "report" or (value >= float(limit) if sign == ">=" else value <= float(limit))
        last = runs[-1]
        peer = {"epochs": last["epochs"], "parameters": last["num_parameters"], "seconds": last["training_seconds"]}
        measure_name = f"{goal.name}, {last['model']}: {goal.figure} of {last['report']['rows']:,} test rows"
        found.append(Row("accuracy", measure_name, value, goal.goal, holds, [round(v, 4) for v in values], peer))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what is missing, prints the table; exit status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.accuracy", description=__doc__)
    parser.add_argument("sets", nargs="*", help="names of sets (default: all)", metavar="SET")
    parser.add_argument("--seeds", type=int, default=None, help="runs of each set (default: as its goal says)")
    parser.add_argument("--again", action="store_true", help="measure once more what is there")
    options = parser.parse_args(arguments)
    unknown = set(options.sets) - {goal.name for goal in GOALS}
    if unknown:
        parser.error(f"there is no set {', '.join(sorted(unknown))}; known: {', '.join(g.name for g in GOALS)}")
    material = Path(os.environ.get("LEPTON_TEST_DATA", "../shared/data")).resolve()
    if not material.is_dir():
        print(f"No real sets: {material} is not there (set LEPTON_TEST_DATA).", file=sys.stderr)
        return 0
    done = read(RECORD)
    for goal in [goal for goal in GOALS if goal.of is None]:
        for seed in range(options.seeds or goal.seeds):
            key = f"{goal.name}/{seed}"
            if (options.sets and goal.name not in options.sets) or (key in done and not options.again):
                continue
            done[key] = measure(goal, seed, material)
            RECORD.write_text(json.dumps(done, indent=1))
            print(f"  {key}: {json.dumps(done[key])}", flush=True)
    return 0 if put(rows(done), Path("bench.json")) else 1


if __name__ == "__main__":
    sys.exit(main())
