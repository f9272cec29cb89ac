"""F7, F10: a disk that refuses any call, and files whose bits have changed since."""

from __future__ import annotations

import errno
import random

import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs import EventLog, create_run, read_events
from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint

pytestmark = pytest.mark.fault


class RefusingDisk(Disk):
    """A disk that refuses the n-th call, with an error of its own."""

    def __init__(self, nth, code):
        self.left, self.code = nth, code

    def refuse(self):
        self.left -= 1
        if self.left == -1:
            raise OSError(self.code, "injected")

    def write(self, fd, data):
        self.refuse()
        return super().write(fd, data)

    def fsync(self, fd):
        self.refuse()
        super().fsync(fd)

    def rename(self, source, target):
        self.refuse()
        super().rename(source, target)


def save(run_dir, step, disk=None):
    options = {} if disk is None else {"disk": disk}
    with new_checkpoint(run_dir, step, keep=4, **options) as folder:
        (folder / "weights.bin").write_bytes(bytes([step % 256]) * 4096)
        (folder / "state.json").write_text(f'{{"step": {step}}}')


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_call_that_is_refused_is_never_reported_as_saved(tmp_path, store, spec, faults, code):
    """F7: each call in turn, of a checkpoint and of the record."""
    tried = lost = 0
    for nth in range(12):
        run_dir = tmp_path / f"{nth}"
        run_dir.mkdir()
        save(run_dir, 1)
        try:
            save(run_dir, 2, RefusingDisk(nth, code))
        except StoreError:
            tried += 1
            found = latest_checkpoint(run_dir)
            lost += found is None
        else:
            lost += latest_checkpoint(run_dir)[0] != 2
            break
    for nth in range(2):
        run = create_run(store, spec)
        with EventLog.open_writer(run.dir) as first:
            first.append("RunStarting")
        with EventLog.open_writer(run.dir, disk=RefusingDisk(nth + 1, code)) as writer:  # the reserve is call 0
            before = [event["seq"] for event in read_events(run.dir)]
            try:
                writer.append("CheckpointSaved", step=1, bytes=1, is_best=False)
            except StoreError:
                lost += [event["seq"] for event in read_events(run.dir)] != before
            else:  # a full disk takes the last word from the reserve, and then it is there
                lost += [event["seq"] for event in read_events(run.dir)] != [*before, 3]
            tried += 1
    faults.add("F7 write, fsync or rename refused", tried, lost)
    assert tried >= 8 and lost == 0


def test_bits_that_have_changed_are_found_every_time_and_the_one_before_is_taken(tmp_path, repeat, faults):
    """F10: flips of one bit, cuts, additions and removals, in each of a checkpoint's files."""
    rng, num_tries, lost = random.Random(5), repeat(40, 300), 0
    save(tmp_path, 1)
    save(tmp_path, 2)
    folder = tmp_path / "checkpoints" / "0000000002"
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for _ in range(num_tries):
        path = rng.choice(sorted(whole))
        data = bytearray(whole[path])
        how = rng.choice(["flip", "cut", "longer", "gone", "zeros"])
        if how == "flip":
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif how == "cut":
            data = data[: rng.randrange(len(data))]
        elif how == "longer":
            data += b"}"
        elif how == "zeros":
            at = rng.randrange(len(data))
            data[at : at + 512] = bytes(len(data[at : at + 512]))
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(data)
        told = []
        found = latest_checkpoint(tmp_path, lambda step, message, told=told: told.append((step, message)))
        is_unchanged = how != "gone" and bytes(data) == whole[path]
        lost += found is None or (not is_unchanged and (found[0] != 1 or [step for step, _ in told] != [2]))
        path.write_bytes(whole[path])
    faults.add("F10 bit rot in a checkpoint", num_tries, lost)
    assert lost == 0


def test_damage_to_a_run_file_is_a_named_state_and_never_a_crash(store, spec, repeat, faults):
    """F10 for the record itself: the list shows every run, whatever happened to its files."""
    from lepton_lab.runs import list_runs

    rng, num_tries, lost = random.Random(6), repeat(30, 150), 0
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting")
        writer.append("RunStarted", steps_per_epoch=2, steps_total=4)
        writer.append("EpochEnded", epoch=1, step=2, val_accuracy=0.5, val_loss=0.5)
    names = ["events.jsonl", "summary.json", "spec.json"]
    whole = {name: (run.dir / name).read_bytes() for name in names}
    for _ in range(num_tries):
        name = rng.choice(names)
        data = bytearray(whole[name])
        at = rng.randrange(len(data))
        data[at : at + rng.choice([1, 8, 64])] = rng.randbytes(rng.choice([0, 1, 8, 64]))
        (run.dir / name).write_bytes(data)
        (summary,) = list_runs(store)
        lost += summary.run_id != run.run_id or (summary.state == "failed" and summary.reason != "unreadable")
        for each, content in whole.items():
            (run.dir / each).write_bytes(content)
    faults.add("F10 damage to a run's record", num_tries, lost)
    assert lost == 0
    assert list_runs(store)[0].state == "running"
