"""A run's copies on shared storage: the last few, whole or not at all, enough to go on elsewhere; no secret in them."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import load
from lepton_lab.errors import RunError, UnknownName
from lepton_lab.runs import Store, create_run
from lepton_lab.runs.checkpoints import all_steps, new_checkpoint, newest_step
from lepton_lab.runs.copies import RunCopies, find, places, read_note, take_up
from lepton_lab.runs.copying import copied
from lepton_lab.runs.events import EventLog, RunBusy, read_events
from lepton_lab.runs.housekeeping import collect, plan_gc
from lepton_lab.runs.lifecycle import delete_run
from lepton_lab.runs.shared import VARIABLE, SharedStorage
from lepton_lab.session import Host, Session
from tests.processes import end_processes_of
from tests.storing import CANARY, files_with_the_secret
from tests.waiting import wait_until


@pytest.fixture(params=["folder", "s3"])
def shared(request, tmp_path, monkeypatch) -> SharedStorage:
    url = f"file://{tmp_path}/shared" if request.param == "folder" else request.getfixturevalue("s3")
    monkeypatch.setenv(VARIABLE, url)
    return SharedStorage(url)


def save(run, step: int, content: bytes) -> None:
    with new_checkpoint(run.dir, step, keep=99) as folder:
        (folder / "weights.bin").write_bytes(content)
        (folder / "state.json").write_text("{}")


def test_the_last_copies_stay_and_the_newest_that_is_whole_is_taken_up(shared, store, spec, tmp_path):
    run = create_run(store, spec)
    copies = RunCopies.of(shared, store, run.run_id)
    assert copies.put(run.dir) is None
    for step in (10, 20, 30):
        save(run, step, bytes([step]) * 1000)
        assert copies.put(run.dir).step == step
    assert copies.put(run.dir).bytes == 0  # nothing has changed
    assert copies.steps() == [20, 30] and places(shared) == [f"{store.id}/{run.run_id}"]

    elsewhere = Store(tmp_path / "elsewhere")
    taken = take_up(elsewhere, run.run_id, by="test")
    assert all_steps(taken.dir) == [30] and taken.summary().state == "stopped" and taken.spec() == run.spec()
    with pytest.raises(RunError, match="There is a run called"):
        take_up(elsewhere, run.run_id, by="test")

    parts = shared.sizes(f"{copies.place}/parts")
    newest = [name for name in parts if shared.get(f"{copies.place}/parts/{name}") == bytes([30]) * 1000]
    shared.put(f"{copies.place}/parts/{newest[0]}", b"cut")
    damaged = take_up(elsewhere, f"{store.id}/{run.run_id}", by="test", as_name="other", move=True)
    assert all_steps(damaged.dir) == [20]
    assert places(shared) == [] and copies.bytes() == 0
    with pytest.raises(UnknownName, match="run on shared storage"):
        find(shared, run.run_id)


def test_copies_go_with_their_run_and_gc_finds_those_that_stayed(shared, store, spec, monkeypatch):
    kept, gone, lost = (create_run(store, spec) for _ in range(3))
    for run in (kept, gone, lost):
        save(run, 10, b"weights")
        RunCopies.of(shared, store, run.run_id).put(run.dir)
    delete_run(store, gone.run_id, by="test")
    monkeypatch.delenv(VARIABLE)
    delete_run(store, lost.run_id, by="test")
    assert plan_gc(store).items == []
    monkeypatch.setenv(VARIABLE, shared.url)
    plan = plan_gc(store)
    assert [(item.kind, item.run_id) for item in plan.items] == [("copy", lost.run_id)] and plan.bytes > 0
    assert collect(store, plan, by="test") == plan.bytes
    assert places(shared) == [f"{store.id}/{kept.run_id}"]


@pytest.mark.fault
def test_a_run_goes_on_on_another_host_when_its_own_is_lost(s3, tmp_path, monkeypatch, capfd, repeat):
    monkeypatch.setenv(VARIABLE, s3)
    rows = np.random.default_rng(0)
    here = Session(Store(tmp_path / "here").prepare(), Host())
    data = here.load_data((rows.normal(size=(400, 6)), rows.integers(0, 2, 400)))  # which no other host can load
    options = {"batch_size": 8, "threads": 1, "checkpoint_every_seconds": 0.2}
    run = here.select_model("mlp", data).train(wait=False, epochs=4000, **options)
    folder = Path(run.record.dir)
    wait_until(lambda: len(read_note(folder).steps) >= 2, "two copies", 60)
    assert "on shared storage" in str(run.details())
    end_processes_of(here.store.root)
    copied, known = read_note(folder).steps[-1], run.id
    assert files_with_the_secret(here.store.root) == []
    shutil.rmtree(here.store.root)

    there = Session(Store(tmp_path / "there").prepare(), Host())
    with pytest.raises(UnknownName):
        there.import_run("digits")
    taken = there.import_run(known, move=True)
    assert taken.state == "stopped" and newest_step(Path(taken.record.dir)) >= copied
    assert load(taken.record.spec().data, there.store).splits["train"].inputs.shape == (288, 6)
    if repeat(0, 1):
        goes_on(taken, copied)
        assert places(SharedStorage(s3)) == [f"{there.store.id}/{known}"]
    taken.delete()
    assert places(SharedStorage(s3)) == []
    end_processes_of(there.store.root)
    assert files_with_the_secret(there.store.root) == []
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err


def test_storage_that_takes_nothing_is_told_once_in_a_sentence_without_secrets(s3, store, spec, monkeypatch):
    monkeypatch.setenv(VARIABLE, "s3://there-is-no-such-bucket/lepton")
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as events, copied(store, events):
        save(run, 10, b"weights")
        wait_until(lambda: warnings_of(run), "the warning", 60)
    assert len(warnings_of(run)) == 1 and "not copied to shared storage" in warnings_of(run)[0]
    assert "bucket" in warnings_of(run)[0]
    assert files_with_the_secret(store.root) == []
    monkeypatch.setenv(VARIABLE, "s3://someone:a-secret@bucket/lepton")
    assert "holds a password" in plan_gc(store).remark and "a-secret" not in plan_gc(store).remark


def goes_on(taken, copied: int) -> None:
    """Resumes a run that was taken up, and has it trained some steps further."""
    folder = Path(taken.record.dir)
    taken.resume()
    wait_until(lambda: newest_step(folder) > copied, "steps on the other host", 60)
    taken.stop()
    taken.wait(60)
    started = [each for each in read_events(folder) if each["type"] == "RunStarted"]
    assert started[-1]["from_step"] >= copied
    wait_until(lambda: is_free(folder), "the worker's end", 90)


def is_free(run_dir: Path) -> bool:
    """Whether no worker holds the run; one that has stopped makes a last copy first."""
    try:
        EventLog.open_writer(run_dir, wait_seconds=0.0).close()
    except RunBusy:
        return False
    return True


def warnings_of(run) -> list[str]:
    return [each["message"] for each in read_events(run.dir) if each["type"] == "WarningRaised"]


def test_a_run_goes_although_the_package_for_its_storage_is_missing_here(store, spec, monkeypatch):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as events:
        events.append("RunStopped", by="test", step=0)
    monkeypatch.setenv(VARIABLE, "s3://bucket/lepton")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    loaded_before = import_module("fsspec.registry")._registry
    monkeypatch.delitem(loaded_before, "s3", raising=False)
    assert "s3fs" in plan_gc(store).remark
    delete_run(store, run.run_id, by="test")
    assert not run.dir.exists() and not list(store.root.rglob("spec.json"))
