"""F5: a full disk ends a run with a name, costs nothing that was saved, and is over when there is space again."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess

import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs import EventLog, Store, create_run, ensure_supervisor, read_events, resume_run, send_command
from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.events import RESERVE_FILE
from tests.runs.runs_lab import Lab, wait_until


class SmallDisk(Disk):
    """A disk with so many bytes left; the reserve, once given up, counts as free again."""

    def __init__(self, run_dir):
        self.run_dir, self.free_bytes = run_dir, 1 << 20

    def write(self, fd, data):
        free = self.free_bytes + (0 if (self.run_dir / RESERVE_FILE).exists() else 16_384)
        taken = super().write(fd, data[:free]) if free > 0 else 0
        self.free_bytes -= taken
        if taken < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return taken


def test_the_last_word_of_a_run_fits_on_a_full_disk(store, spec):
    run = create_run(store, spec)
    disk = SmallDisk(run.dir)
    with EventLog.open_writer(run.dir, disk=disk) as writer:
        writer.append("RunStarted", steps_per_epoch=10)
        disk.free_bytes = 40
        with pytest.raises(StoreError) as caught:
            writer.append("MetricsRecorded", step=1, series={"train_loss": {"step": [1], "value": [1.0]}})
        assert caught.value.reason == "disk_full"
        writer.append("RunFailed", reason="disk_full", message=str(caught.value), step=0)
    assert [event["type"] for event in read_events(run.dir)] == ["RunQueued", "RunStarted", "RunFailed"]
    assert [event["seq"] for event in read_events(run.dir)] == [1, 2, 3]
    assert run.summary().reason == "disk_full"


@pytest.fixture
def small(tmp_path, lab):
    """A lab on a file system of 600 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k,mode=0700", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here; the full disk was tested by fault injection alone")
    small = Lab(Store(folder / "store").prepare())
    yield small
    small.close()
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave_bytes):
    """Writes a file until so many bytes are free."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with contextlib.suppress(OSError):  # the run has written more meanwhile: then it is full already
        (folder / "filling").write_bytes(bytes(max(0, free - leave_bytes)))


LEVELS = [0, 24_000, *(pytest.param(level, marks=pytest.mark.slow) for level in (4_000, 9_000, 16_000, 40_000, 70_000))]


@pytest.mark.fault
@pytest.mark.parametrize("leave_bytes", LEVELS)
def test_a_run_on_a_disk_that_fills_up_fails_with_a_name_and_resumes_with_space(small, leave_bytes, faults):
    run = small.submit(epochs=400, step_seconds=0.002, max_restarts=2)
    small.wait_step(run, 12)
    fill(small.store.root, leave_bytes)
    summary = small.wait(run, "failed")
    assert summary.reason == "disk_full"
    assert "disk is full" in summary.message
    step, _ = latest_checkpoint(run.dir)
    assert step >= 10
    faults.add("F5 disk full, at several fill levels")
    assert "Traceback" not in small.store.supervisor_log.read_text()
    (small.store.root / "filling").unlink()
    resume_run(small.store, run.run_id)
    small.wait_step(run, step + 20)
    assert small.steps(run)[: step + 20] == list(range(1, step + 21))
    send_command(run.dir, "stop", by="test")
    small.wait(run, "stopped")


def test_a_queued_run_waits_for_space(small):
    ensure_supervisor(small.store)
    small.wait_supervisor()
    run = small.submit(epochs=1, step_seconds=0.001)
    small.wait(run, "finished")
    first = small.submit(epochs=100, step_seconds=0.02)
    small.wait_step(first, 2)
    second = small.submit(epochs=1)
    send_command(first.dir, "stop", by="test")
    fill(small.store.root, 0)
    wait_until(lambda: first.summary().state in ("stopped", "failed"), "the first run's end")
    assert second.summary().state in ("queued", "starting", "failed")
    (small.store.root / "filling").unlink()
    if second.summary().state == "failed":
        assert second.summary().reason == "disk_full"
        resume_run(small.store, second.run_id)
    small.wait(second, "finished", seconds=30)
