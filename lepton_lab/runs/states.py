"""The states of a run, and the one table of what may happen to it and what may be asked of it, state by state."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from lepton_lab.errors import RunError


class RunState(StrEnum):
    """Where a run stands."""

    queued = "queued"
    """Waits for a device slot."""
    starting = "starting"
    """A worker process loads the data and builds the network."""
    running = "running"
    """Steps are being taken."""
    paused = "paused"
    """The worker holds still and keeps its device."""
    stopping = "stopping"
    """A stop was asked for; the worker saves a last checkpoint."""
    finished = "finished"
    """All that was asked for is done."""
    stopped = "stopped"
    """Ended early because somebody asked; can be resumed."""
    failed = "failed"
    """Ended by an error; `reason` names it."""


ACTIVE = frozenset({RunState.starting, RunState.running, RunState.paused, RunState.stopping})
"""States in which a run has a worker process."""
ENDED = frozenset({RunState.finished, RunState.stopped, RunState.failed})
"""States in which a run has nothing left to do."""

_LIVE = frozenset({RunState.queued, *ACTIVE})
_ALL = frozenset(RunState)


class Row(NamedTuple):
    """One line of the table."""

    name: str
    """An event, or what a person may ask for."""
    sources: frozenset[RunState]
    """The states in which it means something."""
    target: RunState | None = None
    """The state after it; None: the state stays."""


EVENT_ROWS = (
    Row("RunQueued", frozenset({RunState.stopped, RunState.failed, RunState.queued}), RunState.queued),
    Row("RunStarting", _LIVE, RunState.starting),
    Row("RunStarted", frozenset({RunState.queued, RunState.starting}), RunState.running),
    Row("RunPaused", frozenset({RunState.running}), RunState.paused),
    Row("RunResumed", frozenset({RunState.paused}), RunState.running),
    Row("RunStopping", _LIVE, RunState.stopping),
    Row("RunRestarted", ACTIVE, RunState.starting),
    Row("RunPreempted", ACTIVE, RunState.queued),
    Row("RunFinished", ACTIVE, RunState.finished),
    Row("RunStopped", _LIVE, RunState.stopped),
    Row("RunFailed", _LIVE, RunState.failed),
)
"""What happens; an event that is not here moves nothing."""

ASK_ROWS = (
    Row("pause", frozenset({RunState.queued, RunState.starting, RunState.running, RunState.paused})),
    Row("resume", frozenset({*_LIVE, RunState.stopped, RunState.failed})),
    Row("stop", _LIVE),
    Row("set_learning_rate", _LIVE),
    Row("checkpoint", _LIVE),
    Row("set_priority", _LIVE),
    Row("move", frozenset({RunState.queued})),
    Row("retry", frozenset({RunState.stopped, RunState.failed})),
    Row("continue", ENDED),
    Row("fork", _ALL),
    Row("verify", frozenset({RunState.finished})),
    Row("delete", frozenset({RunState.queued, *ENDED})),
    Row("rename", _ALL),
    Row("tag", _ALL),
    Row("note", _ALL),
    Row("pin", _ALL),
)
"""What a person may ask of a run, and in which states; how it moves the run is told by the events that follow."""

MOVES: dict[tuple[RunState, str], RunState] = {
    (source, row.name): row.target for row in EVENT_ROWS for source in row.sources if row.target is not None
}
"""The state after an event, by the state before it and the event's type; an event without a row moves nothing."""
ASKS: dict[str, frozenset[RunState]] = {row.name: row.sources for row in ASK_ROWS}
"""The states in which each wish of a person makes sense."""


def next_state(state: RunState, event_type: str) -> RunState:
    """The state after an event."""
    return MOVES.get((state, event_type), state)


def asks_of(state: RunState) -> list[str]:
    """What a person may ask of a run in this state: the buttons that are worth showing."""
    return [row.name for row in ASK_ROWS if state in row.sources]


def require(ask: str, run_id: str, state: RunState) -> None:
    """Refuses a wish that makes no sense in this state.

    Raises:
        RunError: With the state, and the states in which it can be asked.
    """
    if state not in ASKS[ask]:
        allowed = " or ".join(each.value for each in RunState if each in ASKS[ask])
        hint = " Stop it first." if state in ACTIVE and RunState.stopped in ASKS[ask] else ""
        raise RunError(f"Run {run_id!r} is {state.value}; {ask.replace('_', ' ')} needs a run that is {allowed}.{hint}")
