"""Checkpoints: nothing valid is lost, nothing broken is used, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import random
import signal

import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.checkpoints import (
    best_checkpoint,
    checkpoint_bytes,
    latest_checkpoint,
    new_checkpoint,
    newest_step,
    verify,
)


def save(run_dir, step, content=None, **options):
    with new_checkpoint(run_dir, step, **options) as folder:
        (folder / "weights.bin").write_bytes(content or bytes([step % 256]) * 4096)
        (folder / "state.json").write_text(f'{{"step": {step}}}')


def steps(run_dir):
    return sorted(int(path.name) for path in (run_dir / "checkpoints").iterdir())


class KillingDisk(Disk):
    """A disk that kills this process before its n-th call."""

    def __init__(self, calls):
        self.calls = calls

    def _count(self):
        self.calls -= 1
        if self.calls < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, fd, data):
        self._count()
        return super().write(fd, data)

    def fsync(self, fd):
        self._count()
        super().fsync(fd)

    def rename(self, source, target):
        self._count()
        super().rename(source, target)


class FailingDisk(KillingDisk):
    """A disk that is full from its n-th call on."""

    def _count(self):
        self.calls -= 1
        if self.calls < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_the_newest_is_found_and_the_last_two_and_the_best_are_kept(tmp_path):
    for step in range(1, 7):
        save(tmp_path, step, is_best=step == 2)
    assert steps(tmp_path) == [2, 5, 6]
    assert latest_checkpoint(tmp_path)[0] == newest_step(tmp_path) == 6
    assert best_checkpoint(tmp_path)[0] == 2
    save(tmp_path, 7, is_best=True)
    assert steps(tmp_path) == [6, 7]
    assert checkpoint_bytes(tmp_path / "checkpoints" / "0000000007") == 4096 + len('{"step": 7}')


def test_nothing_saved_is_nothing_found(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert best_checkpoint(tmp_path) is None
    assert newest_step(tmp_path) == 0


def test_a_block_that_raises_leaves_no_checkpoint(tmp_path):
    with pytest.raises(KeyError), new_checkpoint(tmp_path, 1):
        raise KeyError("x")
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("seed", range(25))
def test_any_damage_is_seen_and_the_one_before_is_used(tmp_path, seed):
    rng = random.Random(seed)
    save(tmp_path, 1)
    save(tmp_path, 2)
    folder = tmp_path / "checkpoints" / "0000000002"
    path = folder / rng.choice(["weights.bin", "state.json", "manifest.json"])
    data = bytearray(path.read_bytes())
    how = rng.choice(["flip", "cut", "gone", "longer"])
    if how == "flip" and path.name != "manifest.json":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    elif how == "longer" and path.name != "manifest.json":
        path.write_bytes(data + b"x")
    elif how == "cut":
        path.write_bytes(data[: rng.randrange(len(data) - 1)])
    else:
        path.unlink()
    told = []
    assert latest_checkpoint(tmp_path, lambda step, message: told.append((step, message)))[0] == 1
    assert [step for step, _ in told] == [2]
    assert "0000000002" in told[0][1]


@pytest.mark.fault
@pytest.mark.parametrize("step", [20, 10], ids=["next step", "same step again"])
def test_killed_at_any_call_a_valid_checkpoint_is_there(tmp_path, step, faults):
    """F1 at named points: before each write, fsync and rename."""
    for calls in range(12):
        run_dir = tmp_path / str(calls)
        run_dir.mkdir()
        save(run_dir, 10, b"old")
        child = os.fork()
        if child == 0:
            save(run_dir, step, b"new", disk=KillingDisk(calls))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found = latest_checkpoint(run_dir)
        assert found is not None and verify(found[1]) is None
        assert (found[1] / "weights.bin").read_bytes() in (b"old", b"new")
        save(run_dir, 30)
        assert all(not path.name.startswith(".") for path in (run_dir / "checkpoints").iterdir())
        if os.WIFEXITED(status):
            assert found[0] == step
            return
        faults.add("F1 killed before each write, fsync and rename")
    raise AssertionError("the save was never allowed to end")


def test_a_disk_that_fills_up_at_any_call_keeps_what_was_there(tmp_path):
    """F5, F7: what failed is never reported as saved."""
    for calls in range(12):
        run_dir = tmp_path / str(calls)
        run_dir.mkdir()
        save(run_dir, 10)
        try:
            save(run_dir, 20, disk=FailingDisk(calls))
        except StoreError as error:
            assert error.reason == "disk_full"
            assert latest_checkpoint(run_dir)[0] in (10, 20)
            assert not [path for path in (run_dir / "checkpoints").iterdir() if path.name.startswith(".")]
        else:
            assert latest_checkpoint(run_dir)[0] == 20
            return
    raise AssertionError("the save was never allowed to end")
