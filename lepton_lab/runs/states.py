"""The states of a run, and the one table that says which event moves which state to which."""

from __future__ import annotations

from enum import StrEnum


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

_LIVE = (RunState.queued, *sorted(ACTIVE))


def _rows(event_type: str, sources: tuple[RunState, ...], target: RunState) -> dict[tuple[RunState, str], RunState]:
    return {(source, event_type): target for source in sources}


MOVES: dict[tuple[RunState, str], RunState] = {
    **_rows("RunQueued", (RunState.stopped, RunState.failed, RunState.queued), RunState.queued),
    **_rows("RunStarting", _LIVE, RunState.starting),
    **_rows("RunStarted", (RunState.queued, RunState.starting), RunState.running),
    **_rows("RunPaused", (RunState.running,), RunState.paused),
    **_rows("RunResumed", (RunState.paused,), RunState.running),
    **_rows("RunStopping", _LIVE, RunState.stopping),
    **_rows("RunRestarted", tuple(sorted(ACTIVE)), RunState.starting),
    **_rows("RunFinished", tuple(sorted(ACTIVE)), RunState.finished),
    **_rows("RunStopped", _LIVE, RunState.stopped),
    **_rows("RunFailed", _LIVE, RunState.failed),
}
"""The state after an event, by the state before it and the event's type; an event without a row moves nothing."""


def next_state(state: RunState, event_type: str) -> RunState:
    """The state after an event."""
    return MOVES.get((state, event_type), state)
