"""Nobody stays who is not needed: after the work, after a store was removed, after one was made anew in its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from lepton_lab.errors import StoreError
from lepton_lab.runs import Store, create_run, ensure_supervisor, send_command
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.launch import poke
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.process import alive, read_identity
from tests.runs.runs_lab import wait_until


def processes_of(root):
    """Every process that names the store's folder in its command line or works in it, whoever started it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            places = [*process.cmdline(), process.cwd()]
            if any(place.startswith(str(root)) for place in places):
                found.append(process)
    return found


def remove(store):
    """Removes a store at once, so that nobody can write into what is left of it."""
    gone = store.root.with_name("gone")
    store.root.rename(gone)
    shutil.rmtree(gone)


def test_after_a_day_of_work_no_process_is_left(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_IDLE_SECONDS", "0.5")
    ensure_supervisor(lab.store, warm=True)
    endpoint = lab.store.endpoint_dir("digits")
    endpoint.mkdir()
    write_json(endpoint / "record.json", {"name": "digits", "desired": "running"})
    killed, stopped = lab.submit(epochs=4, step_seconds=0.02), lab.submit(epochs=100, step_seconds=0.02)
    failed = lab.submit(epochs=1, max_restarts=0, die_at=3, die_times=9)
    lab.wait_step(killed, 7)
    os.kill(lab.worker(killed)["pid"], signal.SIGKILL)
    lab.wait(killed, "finished")
    lab.wait_step(stopped, 3)
    send_command(stopped.dir, "stop", {"hard": True}, by="test")
    lab.wait(stopped, "stopped")
    lab.wait(failed, "failed")
    assert processes_of(lab.store.root), "the check sees nobody"
    write_json(endpoint / "record.json", {"name": "digits", "desired": "stopped"})
    poke(lab.store)
    wait_until(lambda: not processes_of(lab.store.root), "everybody's leaving")


def test_a_supervisor_leaves_with_its_spare_when_the_store_is_removed(lab):
    ensure_supervisor(lab.store, warm=True)
    wait_until(lambda: lab.processes("--spare"), "a spare")
    lab.wait_supervisor()
    remove(lab.store)
    wait_until(lambda: not processes_of(lab.store.root), "the supervisor's and the spare's leaving", seconds=5)
    assert not lab.store.root.exists()


def test_a_worker_does_not_bring_back_a_store_that_was_removed(lab):
    run = lab.submit(epochs=1000, step_seconds=0.02)
    lab.wait_step(run, 3)
    remove(lab.store)
    wait_until(lambda: not processes_of(lab.store.root), "the worker's and the supervisor's leaving", seconds=10)
    assert not lab.store.root.exists()
    with pytest.raises(StoreError, match="has been removed"):
        ensure_supervisor(lab.store)


def test_a_supervisor_leaves_a_store_that_was_made_anew_to_its_successor(lab):
    ensure_supervisor(lab.store, warm=True)
    wait_until(lambda: lab.processes("--spare"), "a spare")
    old = lab.wait_supervisor()
    remove(lab.store)
    Store(lab.store.root).prepare()
    ensure_supervisor(lab.store)
    new = lab.wait_supervisor(other_than=old["pid"])
    wait_until(lambda: not alive(old), "the old one's leaving", seconds=5)
    wait_until(lambda: not lab.processes("--spare"), "its spare's leaving", seconds=5)
    assert lab.supervisor() == new
    assert poke(lab.store), "the old one has taken the new one's pipe away"
    lab.wait(lab.submit(epochs=1), "finished")


def test_a_lock_knows_whether_its_file_still_stands(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert not lock.is_current
    assert lock.acquire()
    assert lock.is_current
    lock.path.unlink()
    assert not lock.is_current
    lock.path.touch()
    assert not lock.is_current
    lock.release()


def test_a_resumed_run_says_which_checkpoint_was_broken_and_goes_on_from_the_one_before(lab):
    run = lab.submit(epochs=4, step_seconds=0.01, checkpoint_every=5)
    lab.wait_step(run, 12)
    send_command(run.dir, "stop", by="test")
    lab.wait(run, "stopped")
    step, folder = latest_checkpoint(run.dir)
    data = bytearray((folder / "weights.bin").read_bytes())
    data[500] ^= 1
    (folder / "weights.bin").write_bytes(data)
    send_command(run.dir, "resume", by="test")
    lab.wait(run, "finished")
    (broken,) = lab.events(run, "CheckpointBroken")
    assert broken["step"] == step
    assert "weights.bin have changed" in broken["message"]
    assert lab.events(run, "RunStarted")[1]["from_step"] < step
    assert lab.steps(run) == list(range(1, 41))


def test_a_hard_stop_of_a_foreign_hand_does_not_end_the_supervisor(lab):
    run = lab.submit(epochs=500, step_seconds=0.02, deaf=True)
    lab.wait_step(run, 3)
    supervisor = lab.supervisor()
    (run.dir / "control" / "1-x.json").write_text('{"command": "stop", "value": {"hard": true}}')
    lab.wait(run, "stopped")
    assert lab.supervisor() == supervisor
    assert read_identity(Path(run.dir) / "worker.json") is not None


def test_a_store_that_never_was_is_made(tmp_path, lab, spec):
    fresh = Store(tmp_path / "fresh")
    try:
        ensure_supervisor(fresh)
        assert create_run(fresh, spec).summary().state == "queued"
    finally:
        wait_until(lambda: read_identity(fresh.supervisor_json), "its supervisor")
        remove(fresh)
        wait_until(lambda: not processes_of(fresh.root), "its leaving")
