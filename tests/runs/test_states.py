"""The states of a run: every cell of the table, and what the fold makes of an order that cannot be."""

from __future__ import annotations

import itertools

import pytest

from lepton_lab.runs.states import ACTIVE, ENDED, MOVES, RunState, next_state
from lepton_lab.runs.summary import Fold

STATES = ["queued", "starting", "running", "paused", "stopping", "finished", "stopped", "failed"]
# One row an event, one column a state before it, in the order above; "-": nothing moves.
TABLE = """
RunQueued     queued   -        -        -        -        -  queued queued
RunStarting   starting starting starting starting starting -  -      -
RunStarted    running  running  -        -        -        -  -      -
RunPaused     -        -        paused   -        -        -  -      -
RunResumed    -        -        -        running  -        -  -      -
RunStopping   stopping stopping stopping stopping stopping -  -      -
RunRestarted  -        starting starting starting starting -  -      -
RunPreempted  -        queued   queued   queued   queued   -  -      -
RunFinished   -        finished finished finished finished -  -      -
RunStopped    stopped  stopped  stopped  stopped  stopped  -  -      -
RunFailed     failed   failed   failed   failed   failed   -  -      -
"""
ROWS = {row.split()[0]: row.split()[1:] for row in TABLE.strip().splitlines()}
OTHERS = [
    "MetricsRecorded",
    "EpochEnded",
    "CheckpointSaved",
    "CommandReceived",
    "ReportWritten",
    "BundleWritten",
    "New",
]


@pytest.mark.parametrize("event_type", [*ROWS, *OTHERS])
@pytest.mark.parametrize("state", STATES)
def test_each_event_moves_each_state_as_the_table_says(state, event_type):
    cell = ROWS[event_type][STATES.index(state)] if event_type in ROWS else "-"
    assert next_state(RunState(state), event_type) == (state if cell == "-" else cell)


def test_the_test_knows_all_states_and_all_moves():
    assert [state.value for state in RunState] == STATES
    assert {event_type for _, event_type in MOVES} == set(ROWS)
    assert len(MOVES) == sum(cell != "-" for row in ROWS.values() for cell in row)
    assert ACTIVE | ENDED | {RunState.queued} == set(RunState)
    assert not ACTIVE & ENDED


def test_what_has_finished_stays_finished_whatever_comes():
    for event_type in ROWS:
        assert next_state(RunState.finished, event_type) is RunState.finished


def fold_of(*types):
    fold = Fold("r")
    for seq, event_type in enumerate(types, 1):
        fold.apply({"seq": seq, "type": event_type, "time": float(seq)})
    return fold


def test_a_report_and_a_bundle_after_the_end_change_no_state():
    fold = fold_of("RunQueued", "RunStarting", "RunStarted", "RunFinished", "BundleWritten", "BundleFailed")
    assert (fold.state, fold.seq) == (RunState.finished, 6)


def test_a_run_that_is_queued_again_has_no_end_and_no_reason():
    fold = fold_of("RunQueued", "RunStarting", "RunFailed")
    assert fold.summary().ended == 3.0
    fold.apply({"seq": 4, "type": "RunQueued", "time": 4.0, "resumed": True})
    assert (fold.state, fold.summary().ended, fold.summary().created) == (RunState.queued, None, 1.0)


def test_no_order_of_events_leaves_the_states_or_ends_without_a_time():
    for types in itertools.product(["RunQueued", "RunStarting", "RunStarted", "RunStopped", "RunFinished"], repeat=5):
        summary = fold_of(*types).summary()
        assert (RunState(summary.state) in ENDED) == (summary.ended is not None), types
