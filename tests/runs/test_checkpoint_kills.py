"""F1 and F2 for checkpoints: kill -9 at any moment loses nothing reported as saved, and the harness would see a loss.

The named points (before each write, fsync and rename) are in `test_checkpoints.py`; here the moment is random.
"""

from __future__ import annotations

import os
import random
import select
import signal
import struct

import pytest

from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint

SIZE_BYTES = 1 << 20


class UnsyncedDisk(Disk):
    """A disk that is not waited for: kill -9 does not take what the system has, so this only makes the test quick."""

    def fsync(self, fd):
        pass


def save_whole(run_dir, step):
    with new_checkpoint(run_dir, step, disk=UnsyncedDisk()) as folder:
        (folder / "weights.bin").write_bytes(struct.pack("<I", step) * (SIZE_BYTES // 4))


def save_in_place(run_dir, step):
    """What must not be done: the next checkpoint's bytes over the last one's, under the same name."""
    scratch = run_dir / "scratch"
    scratch.mkdir(exist_ok=True)
    with new_checkpoint(scratch, 1, disk=UnsyncedDisk()) as folder:
        (folder / "weights.bin").write_bytes(struct.pack("<I", step) * (SIZE_BYTES // 4))
    target = run_dir / "checkpoints" / "0000000001"
    target.mkdir(parents=True, exist_ok=True)
    for path in (scratch / "checkpoints" / "0000000001").iterdir():
        (target / path.name).write_bytes(path.read_bytes())


def save_until_killed(run_dir, save, first_step, told):
    try:
        for step in range(first_step, 1 << 30):
            save(run_dir, step)
            os.write(told, struct.pack("<I", step))
    finally:
        os._exit(1)


def kill_while_saving(run_dir, save, first_step, seconds):
    """Saves in a child that is killed some time after its first save; returns the last step it reported as saved."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        save_until_killed(run_dir, save, first_step, writer)
    os.close(writer)
    told = os.read(reader, 4)
    select.select([], [], [], seconds)  # the moment of the kill is the random input of this test
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 4096):
        told += more
    os.close(reader)
    return struct.unpack("<I", told[-4:])[0]


def losses(run_dir, save, num_kills):
    """How often there was, after a kill, no whole checkpoint at least as new as the last one reported."""
    run_dir.mkdir()
    rng, lost, step = random.Random(0), 0, 1
    for _ in range(num_kills):
        reported = kill_while_saving(run_dir, save, step, rng.uniform(0, 0.02))
        found = latest_checkpoint(run_dir)
        weights = (found[1] / "weights.bin").read_bytes() if found else b""
        (saved,) = struct.unpack_from("<I", weights) if weights else (0,)
        lost += saved < reported or weights != struct.pack("<I", saved) * (SIZE_BYTES // 4)
        step = max(saved, reported) + 1
    return lost


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_nothing_reported_as_saved_is_lost(tmp_path, repeat, faults):
    num_kills = repeat(30, 400)
    lost = losses(tmp_path / "run", save_whole, num_kills)
    faults.add("F1 killed while it saves a checkpoint", num_kills, lost)
    assert lost == 0
    left = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir() if not path.name.startswith(".")]
    assert 1 <= len(left) <= 3


@pytest.mark.fault
def test_the_harness_sees_an_overwrite_in_place_lose_something(tmp_path, repeat, figure):
    """F2, the negative control: the same kills over a save that overwrites in place."""
    num_kills = repeat(30, 100)
    lost = losses(tmp_path / "run", save_in_place, num_kills)
    figure("runs", f"negative control: {num_kills} kills over a save in place, checkpoints lost", [lost], ">= 1")


@pytest.mark.parametrize("bit", range(8))
def test_no_flipped_bit_of_a_manifest_goes_unseen(tmp_path, bit):
    save_whole(tmp_path, 1)
    save_whole(tmp_path, 2)
    manifest = tmp_path / "checkpoints" / "0000000002" / "manifest.json"
    whole = manifest.read_bytes()
    for place in range(0, len(whole), 3):
        broken = bytearray(whole)
        broken[place] ^= 1 << bit
        manifest.write_bytes(broken)
        told = []
        found = latest_checkpoint(tmp_path, lambda step, message, told=told: told.append((step, message)))
        assert found is not None and found[0] == 1, bytes(broken)
        assert told[0][0] == 2 and "0000000002" in told[0][1]
    manifest.write_bytes(whole)
    assert latest_checkpoint(tmp_path)[0] == 2


def test_a_checkpoint_under_another_step_is_not_taken_for_it(tmp_path):
    save_whole(tmp_path, 1)
    (tmp_path / "checkpoints" / "0000000001").rename(tmp_path / "checkpoints" / "0000000009")
    assert latest_checkpoint(tmp_path) is None
