"""What a client that has one board needs to have the next one, in messages of a bounded size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lepton_lab.runs.states import ACTIVE
from lepton_lab.runs.summary import DEFAULTS
from lepton_lab.words import told

FIRST_RUNS = 1_000
"""So many of the newest runs are told of at once, and all that are at work."""
RUNS_PER_MESSAGE = 5_000
MOST_TOLD = 300
"""Of so many runs of a message the page is told in other languages, too, why they failed; of the rest, in English."""

Runs = dict[str, dict[str, Any]]


def since(sent: Runs | None, board: dict[str, Any]) -> tuple[Runs, Iterable[dict[str, Any]]]:
    """The runs that the client has after some messages, and those messages.

    Args:
        sent: The runs that it has, by name; None before the first message.
        board: The board, as `BoardScan.look` reads it.
    """
    runs = {run["run_id"]: run for run in board["runs"]}
    rest = {"endpoints": board["endpoints"], "devices": board["devices"]}
    if sent is not None:
        gone = sorted(sent.keys() - runs.keys())
        changed = [_patch(sent.get(name), run) for name, run in runs.items() if sent.get(name) is not run]
        return runs, _changes([run for run in changed if run is not None], gone, rest)
    first: list[dict[str, Any]] = []
    later: list[dict[str, Any]] = []
    for place, run in enumerate(board["runs"]):
        (first if place < FIRST_RUNS or run.get("state") in ACTIVE else later).append(run)
    state = {"type": "state", "defaults": DEFAULTS, "runs": _told(first), **rest}
    return runs, [state, *(_changes(later, [], rest) if later else [])]


def _changes(runs: list[dict[str, Any]], gone: list[str], rest: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [runs[first : first + RUNS_PER_MESSAGE] for first in range(0, len(runs), RUNS_PER_MESSAGE)] or [[]]
    return [
        {"type": "change", "runs": _told(part), "gone": gone if number == 0 else [], **rest}
        for number, part in enumerate(parts)
    ]


def _told(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs of a message, with `said` beside the first sentences; a message that is no more takes it away."""
    failed = [place for place, run in enumerate(runs) if "message" in run]
    if not failed:
        return runs
    found = list(runs)
    for place in failed[:MOST_TOLD]:
        found[place] = {"said": None, **told(runs[place])}
    return found


def _patch(before: dict[str, Any] | None, run: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of a run that have changed, and its name; None where there are none."""
    if before is None:
        return run
    old, new = {**DEFAULTS, **before}, {**DEFAULTS, **run}
    changed = {name: value for name, value in new.items() if old[name] != value}
    return {"run_id": run["run_id"], **changed} if changed else None
