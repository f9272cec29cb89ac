"""A run's fold kept beside its events, so that two thousand runs are listed without replaying them.

Only a cache: whoever reads it checks how far it went and folds the rest; a missing or broken one costs a replay.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.lines import read_lines
from lepton_lab.runs.spark import Spark
from lepton_lab.runs.states import RunState
from lepton_lab.runs.summary import DEFAULTS, Fold

SNAPSHOT_FILE = "summary.json"
VERSION = 2
_MISFITS = (AttributeError, KeyError, TypeError, ValueError, IndexError)
"""What applying something that is no event of a run ends in."""


class Loaded(NamedTuple):
    """The fold of a run's events, up to their end."""

    fold: Fold
    offset: int
    """Bytes of the events file that were folded: its complete lines."""
    fresh: bool
    """Whether a snapshot is there to build upon; if not, one must be written before the events grow."""


def load(run_dir: Path) -> Loaded:
    """Folds a run's events, from the snapshot on where there is one.

    Raises:
        OSError: If the events cannot be read.
        StoreError: If they are no events of a run.
    """
    events = run_dir / "events.jsonl"
    size = os.stat(events).st_size
    fold, offset = _read(run_dir)
    if fold is not None and offset <= size:
        with contextlib.suppress(*_MISFITS):  # it may be the snapshot that is broken; all of the events tell
            return Loaded(fold, _fold_rest(events, offset, size, fold), fresh=True)
    fold = Fold(run_dir.name)
    try:
        return Loaded(fold, _fold_rest(events, 0, size, fold), fresh=False)
    except _MISFITS as error:
        raise StoreError(f"The record of run {run_dir.name!r} is broken: {error!r}.", reason="unreadable") from error


def glance(run_dir: Path) -> tuple[dict[str, Any], str | None] | None:
    """The fields of a run's summary, and its seal, where the snapshot goes to the end of the events; None elsewhere.

    Many runs are listed in half the time that it would take to make a fold of each.
    """
    try:
        size = os.stat(f"{run_dir}/events.jsonl").st_size
        with open(f"{run_dir}/{SNAPSHOT_FILE}", "rb") as file:
            values = json.loads(file.read())
        summary = values["summary"]
        if values["version"] != VERSION or values["offset"] != size or type(summary["last_seq"]) is not int:
            return None
        if summary["last_seq"] < 1:
            return None
        RunState(summary["state"])
        points = Spark(values["val"] if len(values["val"]) > 1 else values["train"])
        known = {name: value for name, value in summary.items() if name in DEFAULTS and value != DEFAULTS[name]}
        return {**known, "run_id": run_dir.name, "sparkline": points.values(32)}, values["seal"]
    except (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None


def _fold_rest(events: Path, offset: int, size: int, fold: Fold) -> int:
    """Applies the events from an offset on; returns the offset of their end."""
    if offset == size:
        return offset
    found = read_lines(events, offset, fold.seq)
    for event in found.events:
        fold.apply(event)
    return found.offset


def is_readable(run_dir: Path) -> bool:
    """Whether a run's events can be read and folded."""
    try:
        return load(run_dir).fold.seq > 0
    except (OSError, StoreError):
        return False


def save(run_dir: Path, fold: Fold, offset: int) -> None:
    """Writes the snapshot; where the disk does not take it, the old one stays good."""
    try:
        write_json(run_dir / SNAPSHOT_FILE, {"version": VERSION, "offset": offset, **fold.to_dict()}, durable=False)
    except (StoreError, ValueError):
        return


def _read(run_dir: Path) -> tuple[Fold | None, int]:
    try:
        values: dict[str, Any] = json.loads((run_dir / SNAPSHOT_FILE).read_bytes())
        if values["version"] != VERSION or type(values["offset"]) is not int:
            return None, 0
        return Fold.from_dict(run_dir.name, values), values["offset"]
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return None, 0
