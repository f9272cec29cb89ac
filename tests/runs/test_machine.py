"""The states and moves as a state machine: whatever is asked, in whatever order, the record says what the table says.

The test stands in for the supervisor and the workers: it takes the runs' locks and writes the events that they write.
Everything that a person can ask is asked through the real functions, and refused exactly where the table has no row.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from lepton_lab.errors import RunError
from lepton_lab.runs import EventLog, RunRecord, Store, create_run, list_runs, send_command
from lepton_lab.runs.checkpoints import new_checkpoint
from lepton_lab.runs.control import forget_commands, pending_commands
from lepton_lab.runs.labels import note_run, pin_run, read_labels, rename_run, tag_run
from lepton_lab.runs.lifecycle import delete_run, move_run, retry_run, set_priority
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import enqueue, resume_run
from lepton_lab.runs.states import ACTIVE, ASKS, ENDED, MOVES, RunState, asks_of, next_state
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec

SPEC = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec(epochs=2))
EVENTS = sorted({event for _, event in MOVES} - {"RunQueued"})


class Expected:
    """What the test knows of a run."""

    def __init__(self):
        self.state, self.pinned, self.title, self.tags, self.note = RunState.queued, False, None, [], ""
        self.priority, self.seq, self.num_changes = 0, 1, 0


class Runs(RuleBasedStateMachine):
    runs = Bundle("runs")

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lepton-machine-"))
        self.store = Store(self.folder / "store").prepare()
        # Who listens at the pipe is taken for the supervisor, so that no real one is started.
        os.mkfifo(self.store.supervisor_pipe, 0o600)
        self.pipe = os.open(self.store.supervisor_pipe, os.O_RDWR | os.O_NONBLOCK)
        self.expected: dict[str, Expected] = {}

    def teardown(self):
        os.close(self.pipe)
        shutil.rmtree(self.folder)

    def record(self, run_id):
        return RunRecord(self.store, run_id)

    def ask(self, name, run_id, act):
        """Asks, and returns whether it was done; it is exactly where the table has the state."""
        expected = self.expected[run_id]
        if expected.state in ASKS[name]:
            act()
            return True
        with pytest.raises(RunError):
            act()
        return False

    @rule(target=runs)
    def queue(self):
        run = create_run(self.store, SPEC, submitted=True)
        enqueue(run, SPEC)
        self.expected[run.run_id] = Expected()
        return run.run_id

    @rule(run_id=runs, event=st.sampled_from(EVENTS))
    def happen(self, run_id, event):
        """An event of a worker or the supervisor; what follows from it for the queue is done as they do it."""
        expected, record = self.expected[run_id], self.record(run_id)
        if expected.state in ENDED:
            return  # no worker and no supervisor writes to a run that has ended
        with EventLog.open_writer(record.dir) as writer:
            writer.append(event, step=1, epoch=0.1, from_step=0)
        expected.state = next_state(expected.state, event)
        expected.seq += 1
        queue = Queue(self.store)
        if expected.state in ENDED:
            queue.remove(run_id)
            forget_commands(record.dir)
        elif expected.state in ACTIVE:
            queue.lease(run_id, "cpu:0")
        else:
            queue.release(run_id)

    @rule(run_id=runs, step=st.integers(1, 5))
    def save(self, run_id, step):
        if self.expected[run_id].state in ACTIVE:
            with new_checkpoint(self.record(run_id).dir, step) as folder:
                (folder / "weights.bin").write_bytes(bytes(8))

    @rule(run_id=runs, command=st.sampled_from(["pause", "checkpoint", "set_learning_rate"]))
    def command(self, run_id, command):
        value = 0.1 if command == "set_learning_rate" else None
        expected, run_dir = self.expected[run_id], self.record(run_id).dir
        before = len(pending_commands(run_dir))
        if expected.state in ENDED:
            with pytest.raises(RunError):
                send_command(run_dir, command, value, by="machine")
        else:
            send_command(run_dir, command, value, by="machine")
            assert pending_commands(run_dir)[before]["by"] == "machine"

    @rule(run_id=runs)
    def stop(self, run_id):
        expected, run_dir = self.expected[run_id], self.record(run_id).dir
        if self.ask("stop", run_id, lambda: send_command(run_dir, "stop", by="machine")):
            if expected.state is RunState.queued:  # nobody is at work on it: it ends at once
                expected.state, expected.seq = RunState.stopped, expected.seq + 2
            else:
                assert pending_commands(run_dir)[-1]["command"] == "stop"
                forget_commands(run_dir)

    @rule(run_id=runs, again=st.sampled_from([retry_run, resume_run]))
    def retry(self, run_id, again):
        if self.ask("retry", run_id, lambda: again(self.store, run_id, by="machine")):
            self.expected[run_id].state = RunState.queued
            self.expected[run_id].seq += 1

    @rule(run_id=runs, priority=st.integers(-100, 100))
    def prioritize(self, run_id, priority):
        if self.ask("set_priority", run_id, lambda: set_priority(self.store, run_id, priority, by="machine")):
            self.expected[run_id].priority = priority
            self.expected[run_id].seq += 1

    @rule(run_id=runs, place=st.integers(1, 5))
    def move(self, run_id, place):
        if self.ask("move", run_id, lambda: move_run(self.store, run_id, place, by="machine")):
            self.expected[run_id].seq += 1

    @rule(run_id=runs, pinned=st.booleans())
    def pin(self, run_id, pinned):
        pin_run(self.record(run_id).dir, pinned, by="machine")
        self.expected[run_id].pinned = pinned
        self.expected[run_id].num_changes += 1

    @rule(run_id=runs, title=st.sampled_from(["first", "Übung 3", None]))
    def rename(self, run_id, title):
        rename_run(self.record(run_id).dir, title, by="machine")
        self.expected[run_id].title = title
        self.expected[run_id].num_changes += 1

    @rule(run_id=runs, tag=st.sampled_from(["a", "b"]), off=st.booleans())
    def tag(self, run_id, tag, off):
        tag_run(self.record(run_id).dir, [] if off else [tag], [tag] if off else [], by="machine")
        tags = [each for each in self.expected[run_id].tags if not off or each != tag]
        self.expected[run_id].tags = tags if off or tag in tags else [*tags, tag]
        self.expected[run_id].num_changes += 1

    @rule(run_id=runs, note=st.text(max_size=20))
    def note(self, run_id, note):
        note_run(self.record(run_id).dir, note, by="machine")
        self.expected[run_id].note = note
        self.expected[run_id].num_changes += 1

    @rule(target=runs, run_id=consumes(runs))
    def delete(self, run_id):
        expected = self.expected[run_id]
        if expected.pinned:
            with pytest.raises(RunError, match="pinned"):
                delete_run(self.store, run_id, by="machine")
            return run_id
        if self.ask("delete", run_id, lambda: delete_run(self.store, run_id, by="machine")):
            del self.expected[run_id]
            return multiple()
        return run_id

    @invariant()
    def the_record_says_what_is_expected(self):
        found = {each.run_id: each for each in list_runs(self.store)}
        assert set(found) == set(self.expected)
        for run_id, expected in self.expected.items():
            summary = found[run_id]
            shown = (summary.state, summary.pinned, summary.title, summary.tags, summary.note, summary.priority)
            assert shown == (
                expected.state.value,
                expected.pinned,
                expected.title,
                expected.tags,
                expected.note,
                expected.priority,
            )
            assert summary.last_seq == expected.seq
            assert (summary.ended is not None) == (expected.state in ENDED)
            assert set(asks_of(expected.state)) == {ask for ask in ASKS if expected.state in ASKS[ask]}
            assert len(read_labels(self.record(run_id).dir).history) == min(expected.num_changes, 50)

    @invariant()
    def the_queue_holds_what_has_not_ended_and_numbers_what_waits(self):
        entries = {entry.run_id: entry for entry in Queue(self.store).entries()}
        live = {run_id for run_id, expected in self.expected.items() if expected.state not in ENDED}
        assert set(entries) == live
        waiting = [run_id for run_id in live if entries[run_id].slot is None]
        assert sorted(Queue(self.store).positions().values()) == list(range(1, len(waiting) + 1))
        for run_id in live:
            assert entries[run_id].priority == self.expected[run_id].priority


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
TestRuns = Runs.TestCase
TestRuns.settings = settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=CHECKS)


class LongRuns(Runs):
    """The long form."""


TestManyRuns = pytest.mark.timeout(1800)(pytest.mark.slow(LongRuns.TestCase))
TestManyRuns.settings = settings(max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=CHECKS)
