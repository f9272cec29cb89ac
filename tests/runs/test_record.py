"""Runs as folders: unique names under a rush, whole summaries, closed to others, durable, and a clock that jumps."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs import EventLog, create_run, list_runs, read_events, send_command
from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint
from lepton_lab.runs.control import pending_commands

DAY_SECONDS = 86_400.0


def test_names_are_unique_when_many_ask_at_once(store, spec):
    code = (
        "import sys; from lepton_lab.runs import Store, create_run; from lepton_lab.specs import RunSpec\n"
        "spec = RunSpec.parse(__import__('json').loads(sys.argv[2]))\n"
        "for _ in range(10): print(create_run(Store(sys.argv[1]), spec, name='mine').run_id)"
    )
    words = [sys.executable, "-c", code, str(store.root), json.dumps(spec.model_dump(mode="json"))]
    others = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: create_run(store, spec, name="mine").run_id, range(24)))
    for other in others:
        names += other.communicate(timeout=60)[0].split()
        assert other.returncode == 0
    assert len(names) == len(set(names)) == 44
    assert {run.run_id for run in list_runs(store)} == set(names)
    assert {run.state for run in list_runs(store)} == {"queued"}
    assert not [path for path in store.runs_dir.iterdir() if path.name.startswith(".")]


def test_a_summary_has_every_field_of_the_life_of_a_run(store, spec):
    run = create_run(store, spec, owner="me")
    points = {"train_loss": {"step": [1, 2], "value": [2.0, 1.5]}, "train_accuracy": {"step": [2], "value": [0.25]}}
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
        writer.append("RunStarted", device="cpu", steps_per_epoch=2, steps_total=4, learning_rate=0.1, from_step=0)
        writer.append(
            "MetricsRecorded",
            series=points,
            step=2,
            epoch=1.0,
            samples_per_second=9.0,
            seconds_left=3.0,
            learning_rate=0.1,
        )
        writer.append("EpochEnded", epoch=1, step=2, val_loss=1.0, val_accuracy=0.5, is_best=True)
        writer.append("LearningRateChanged", step=2, old=0.1, new=0.01, by="cli")
        writer.append("CheckpointSaved", step=2, bytes=10, is_best=True)
        writer.append("EpochEnded", epoch=2, step=4, val_loss=0.9, val_accuracy=0.4, is_best=False)
        writer.append("ReportWritten", test_accuracy=0.45, test_rows=10)
        writer.append("RunFinished", step=4, epoch=2.0, best_val_accuracy=0.5, seconds=1.0)
    found = json.loads(json.dumps(run.summary().to_dict()))
    expected = {
        "run_id": "digits-cnn-1", "name": "digits-cnn-1", "owner": "me", "state": "finished", "reason": None,
        "dataset": "digits", "model": "cnn", "epoch": 2.0, "epochs": 2, "step": 4, "steps_total": 4, "device": "cpu",
        "samples_per_second": 9.0, "seconds_left": None, "learning_rate": 0.01, "train_loss": 1.5,
        "train_accuracy": 0.25, "val_accuracy": 0.4, "val_loss": 0.9, "best_val_accuracy": 0.5, "test_accuracy": 0.45,
        "checkpoint_step": 2, "restarts": 0, "queue_position": None, "sparkline": [0.5, 0.4], "last_seq": 10,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert found["created"] <= found["started"] <= found["ended"]
    assert list_runs(store)[0] == run.summary()


def test_a_snapshot_that_looks_sound_and_is_not_costs_a_replay_and_no_more(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    expected, path = run.summary(), run.dir / "summary.json"
    values = json.loads(path.read_text())
    for name, wrong in [("last_seq", "x"), ("last_seq", None), ("last_seq", []), ("state", "nowhere")]:
        for offset in (0, values["offset"]):
            path.write_text(json.dumps({**values, "offset": offset, "summary": {**values["summary"], name: wrong}}))
            assert run.summary() == expected
        with EventLog.open_writer(run.dir) as writer:  # which writes a sound one
            assert writer.fold.summary() == expected
        assert json.loads(path.read_text()) == values


def test_all_that_a_run_leaves_is_closed_to_others(store, spec):
    run = create_run(store, spec, submitted=True)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
        with new_checkpoint(run.dir, 1) as folder:
            (folder / "weights.bin").write_bytes(b"w")
        send_command(run.dir, "pause", by="cli")
        paths = [store.root, *store.root.rglob("*")]
        assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_dir()} == {"0o700"}
        assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_file()} == {"0o600"}


STRACED = """
import sys
from lepton_lab.runs import Store, create_run
from lepton_lab.specs import RunSpec
import json
create_run(Store(sys.argv[1]), RunSpec.parse(json.loads(sys.argv[2])), name="mine")
"""


def test_a_run_gets_its_name_when_its_files_and_their_names_are_durable(store, spec, tmp_path):
    log = tmp_path / "strace.log"
    command = ["strace", "-f", "-y", "-o", log, "-e", "trace=fsync,rename,renameat,renameat2", sys.executable, "-c"]
    asked = json.dumps(spec.model_dump(mode="json"))
    subprocess.run([*command, STRACED, store.root, asked], check=True, timeout=60)
    lines = log.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if re.search(r'rename.*/runs/mine"', line))
    temporary = re.search(r'"([^"]+/\.new-[^"]+)"', lines[at])[1]
    synced = [match[1] for line in lines[:at] if (match := re.search(r"fsync\(\d+<(.+?)>\)", line))]
    assert synced.index(f"{temporary}/events.jsonl") < len(synced) - 1 - synced[::-1].index(temporary)
    assert f"<{store.runs_dir}>" in lines[at + 1]


class Failing(Disk):
    """A disk on which one kind of call fails as long as it is told to."""

    def __init__(self, call, code):
        self.call, self.code, self.fails = call, code, False

    def write(self, fd, data):
        if self.fails and self.call == "write":
            super().write(fd, data[: len(data) // 2])  # half of it gets there
            raise OSError(self.code, "injected")
        return super().write(fd, data)

    def fsync(self, fd):
        if self.fails and self.call == "fsync":
            raise OSError(self.code, "injected")
        super().fsync(fd)


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize(("code", "reason"), [(errno.EIO, "unwritable"), (errno.ENOSPC, "disk_full")])
def test_an_event_that_did_not_reach_the_disk_is_not_in_the_record(store, spec, call, code, reason):
    run = create_run(store, spec)
    disk = Failing(call, code)
    with EventLog.open_writer(run.dir, disk=disk) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
        disk.fails = True
        with pytest.raises(StoreError) as caught:
            writer.append("CheckpointSaved", step=5, bytes=1, is_best=False)
        assert caught.value.reason == reason
        assert [event["type"] for event in run.events()] == ["RunQueued", "RunStarting"]
        assert run.summary().checkpoint_step is None
        disk.fails = False
        assert writer.append("RunFailed", reason=reason, message="x", step=0) == 3
    assert [event["seq"] for event in read_events(run.dir)] == [1, 2, 3]


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_checkpoint_that_did_not_reach_the_disk_is_not_there(tmp_path, call, code):
    disk = Failing(call, code)
    disk.fails = True
    with pytest.raises(StoreError), new_checkpoint(tmp_path, 1, disk=disk) as folder:
        (folder / "weights.bin").write_bytes(b"w")
    assert latest_checkpoint(tmp_path) is None


@pytest.mark.fault
@pytest.mark.parametrize("jump_seconds", [DAY_SECONDS, -DAY_SECONDS])
def test_a_clock_that_is_moved_by_a_day_moves_dates_alone(store, spec, jump_seconds, faults):
    run = create_run(store, spec)
    wall, monotonic = [1_000_000.0], [50.0]
    clocks = {"wall": lambda: wall[0], "monotonic": lambda: monotonic[0]}
    with EventLog.open_writer(run.dir, **clocks) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
        writer.append("RunStarted", steps_per_epoch=2, from_step=0)
        for step in (1, 2, 3, 4):
            if step == 3:
                wall[0] += jump_seconds
            wall[0], monotonic[0] = wall[0] + 1, monotonic[0] + 1
            series = {"train_loss": {"step": [step], "value": [1 / step]}}
            writer.append("MetricsRecorded", series=series, step=step, epoch=step / 2)
        writer.append("RunFinished", step=4, epoch=2.0)
    assert [event["seq"] for event in run.events()] == list(range(1, 9))
    assert [event["type"] for event in run.events()][-1] == "RunFinished"
    assert list(run.curve().series["train_loss"].steps) == [1, 2, 3, 4]
    assert (run.summary().state, run.summary().elapsed_seconds) == ("finished", 4.0)
    faults.add("F18 clock moved by a day")


def test_commands_keep_their_order_whatever_the_clock_says(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    send_command(run.dir, "pause", by="cli")
    (first,) = (run.dir / "control").iterdir()
    # As another version, or a clock that is a day ahead, may have left it.
    first.rename(first.with_name(f"09999999999999999999-{first.stem.partition('-')[2]}.json"))
    for name in ("resume", "checkpoint"):
        send_command(run.dir, name, by="cli")
    assert [each["command"] for each in pending_commands(run.dir)] == ["pause", "resume", "checkpoint"]


def test_a_command_of_a_foreign_hand_comes_whole(store, spec):
    run = create_run(store, spec)
    (run.dir / "control" / "1-x.json").write_text('{"command": "stop"}')
    (run.dir / "control" / "2-y.json").write_text('{"command": "stop", "value": {"hard": 1}, "by": 7}')
    (run.dir / "control" / "3-z.json").write_text("[" * 100_000)
    found = pending_commands(run.dir)
    assert [(each["id"], each["value"], each["by"]) for each in found] == [
        ("x", {"hard": False}, "somebody"),
        ("y", {"hard": True}, "7"),
    ]
