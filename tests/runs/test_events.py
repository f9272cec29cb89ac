"""The record of a run: append, torn and broken lines, one writer, durations."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lepton_lab.errors import StoreError, UnknownName
from lepton_lab.runs import EventLog, EventTail, RunRecord, RunState, create_run, list_runs, read_events
from lepton_lab.runs.events import RunBusy


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_events_are_numbered_without_a_hole(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        assert [writer.append("WarningRaised", message=str(i)) for i in range(3)] == [2, 3, 4]
    assert [event["seq"] for event in read_events(run.dir)] == [1, 2, 3, 4]
    assert [event["seq"] for event in run.events(since=2)] == [3, 4]


def test_a_torn_last_line_is_ignored_and_mended_by_the_next_writer(store, spec):
    run = create_run(store, spec)
    with open(run.dir / "events.jsonl", "ab") as file:
        file.write(b'{"seq":2,"type":"RunFinished","ti')
    assert [event["type"] for event in read_events(run.dir)] == ["RunQueued"]
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    assert [event["type"] for event in read_events(run.dir)] == ["RunQueued", "RunStarting"]


def test_a_torn_line_cut_at_every_byte_never_changes_what_is_read(store, spec):
    run = create_run(store, spec)
    whole = (run.dir / "events.jsonl").read_bytes()
    line = b'{"seq":2,"type":"RunStopped","step":3}\n'
    for length in range(len(line)):
        (run.dir / "events.jsonl").write_bytes(whole + line[:length])
        assert len(read_events(run.dir)) == 1
        assert run.summary().state == "queued"
    (run.dir / "events.jsonl").write_bytes(whole + line)
    assert run.summary().state == "stopped"


@pytest.mark.parametrize("broken", [b"nonsense", b"[1]", b'{"seq":"2","type":"RunFinished"}', b"\xff\xfe", b"[" * 9999])
def test_a_broken_line_in_the_middle_is_a_warning_and_the_rest_counts(store, spec, broken):
    run = create_run(store, spec)
    with open(run.dir / "events.jsonl", "ab") as file:
        file.write(broken + b'\n{"seq":3,"type":"RunStopped","time":5}\n')
    assert [event["type"] for event in read_events(run.dir)] == ["RunQueued", "WarningRaised", "RunStopped"]
    assert run.summary().state == "stopped"


def test_a_tail_gives_each_event_once(store, spec):
    run = create_run(store, spec)
    tail = EventTail(run.dir)
    assert [event["seq"] for event in tail.read()] == [1]
    with EventLog.open_writer(run.dir) as writer:
        writer.append("WarningRaised", message="a")
        assert [event["seq"] for event in tail.read()] == [2]
        with open(run.dir / "events.jsonl", "ab") as file:
            file.write(b'{"seq":3,')
        assert tail.read() == []
    with EventLog.open_writer(run.dir) as writer:
        writer.append("WarningRaised", message="b")
    assert [event["message"] for event in tail.read()] == ["b"]


def test_a_second_writer_is_refused_while_the_first_lives_and_welcome_after_its_death(store, spec):
    run = create_run(store, spec)
    code = (
        "import sys, pathlib; from lepton_lab.runs import EventLog;"
        "EventLog.open_writer(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, run.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RunBusy, match="held by another process"):
        EventLog.open_writer(run.dir, wait_seconds=0.05)
    other.kill()
    other.communicate()
    with EventLog.open_writer(run.dir) as writer:
        assert writer.state is RunState.queued


def test_a_forked_child_does_not_keep_the_lock(store, spec):
    run = create_run(store, spec)
    writer = EventLog.open_writer(run.dir)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"r")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    writer.close()
    EventLog.open_writer(run.dir, wait_seconds=0.0).close()
    os.write(go[1], b"g")
    os.waitpid(child, 0)


def test_training_time_leaves_pauses_out_and_adds_up_over_restarts(store, spec):
    run, clock = create_run(store, spec), Clock()
    with EventLog.open_writer(run.dir, monotonic=clock) as writer:
        clock.now += 50
        writer.append("RunStarted", steps_per_epoch=10, from_step=0)
        clock.now += 3
        writer.append("RunPaused", step=5)
        clock.now += 1000
        writer.append("RunResumed", step=5)
        clock.now += 4
        writer.append("CheckpointSaved", step=9, bytes=1)
    with EventLog.open_writer(run.dir, monotonic=clock) as writer:
        clock.now += 500
        writer.append("RunRestarted", attempt=1, from_step=9, reason="worker_died")
        writer.append("RunStarted", steps_per_epoch=10, from_step=9)
        clock.now += 2
        writer.append("RunFinished", step=20, epoch=2.0)
    assert run.summary().elapsed_seconds == 9.0
    assert run.summary().restarts == 1


def test_values_that_are_not_finite_become_null(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append(
            "MetricsRecorded", step=1, epoch=0.1, series={"train_loss": {"step": [1], "value": [float("nan")]}}
        )
    assert json.loads((run.dir / "events.jsonl").read_text().splitlines()[-1])["series"]["train_loss"]["value"] == [
        None
    ]
    assert (run.dir / "summary.json").exists()


def test_the_snapshot_is_only_a_cache(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, device="cpu")
        writer.append("EpochEnded", epoch=1, step=10, val_accuracy=0.5, val_loss=1.0)
    expected = run.summary()
    for content in (b"", b"{}", b"[]", b"nonsense", b'{"version":1,"offset":99999999}'):
        (run.dir / "summary.json").write_bytes(content)
        assert run.summary() == expected
    (run.dir / "summary.json").unlink()
    assert run.summary() == expected


def test_a_broken_folder_is_a_failed_run_and_hides_no_other(store, spec):
    create_run(store, spec, name="good")
    (store.runs_dir / "empty").mkdir()
    (store.runs_dir / "garbage").mkdir()
    (store.runs_dir / "garbage" / "events.jsonl").write_bytes(os.urandom(5000))
    (store.runs_dir / "odd").mkdir()
    (store.runs_dir / "odd" / "events.jsonl").write_text(
        '{"seq":1,"type":"RunQueued"}\n{"seq":2,"type":"MetricsRecorded","series":[1,2]}\n'
    )
    (store.runs_dir / "folder").mkdir()
    (store.runs_dir / "folder" / "events.jsonl").mkdir()
    states = {run.run_id: (run.state, run.reason) for run in list_runs(store)}
    assert states.pop("good") == ("queued", None)
    assert set(states.values()) == {("failed", "unreadable")}


def test_names_are_unique_checked_and_suggested(store, spec):
    assert [create_run(store, spec).run_id for _ in range(2)] == ["digits-cnn-1", "digits-cnn-2"]
    assert [create_run(store, spec, name="mine").run_id for _ in range(2)] == ["mine", "mine-2"]
    assert RunRecord(store, "mine").spec() == spec
    with pytest.raises(UnknownName, match="Did you mean 'mine'"):
        RunRecord.find(store, "mime")
    for name in ("../x", "", "a/b", "x" * 65, ".hidden"):
        with pytest.raises(Exception, match="not allowed"):
            store.run_dir(name)


def test_a_missing_run_is_said_in_a_sentence(store):
    with pytest.raises(StoreError, match=r"events\.jsonl"):
        EventLog.open_writer(store.run_dir("nobody"))


def test_a_store_is_closed_to_others_and_knows_its_own_runs(store, spec):
    run = create_run(store, spec, submitted=True)
    for path in [store.root, *store.root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    seal = read_events(run.dir)[0]["seal"]
    assert store.is_sealed(run.run_id, seal)
    assert not store.is_sealed("other", seal)
    assert not store.is_sealed(run.run_id, None)
