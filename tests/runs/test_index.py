"""The cache of all summaries is never believed against the folders: whatever changed while nobody looked is seen."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from lepton_lab.runs import EventLog, Store, create_run, list_runs, listing, snapshot
from lepton_lab.runs.labels import rename_run
from lepton_lab.runs.listing import Listing
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.summary import RunSummary

NUM_RUNS = 300


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of some hundred finished runs, whose summaries another process would find in the cache."""
    from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec

    store = Store(tmp_path_factory.mktemp("indexed")).prepare()
    run = create_run(store, RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec()), name="run-0")
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, device="cpu")
        writer.append("EpochEnded", epoch=1, step=10, val_accuracy=0.5, val_loss=0.1)
        writer.append("RunFinished", step=10, epoch=1.0)
    for number in range(1, NUM_RUNS):
        folder = store.runs_dir / f"run-{number}"
        folder.mkdir()
        for name in ("events.jsonl", "summary.json", "spec.json"):
            shutil.copy(run.dir / name, folder / name)
    return store


@pytest.fixture
def store(laid_out: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of that store, its cache written, and what this process remembers forgotten."""
    monkeypatch.setattr(listing, "_SETTLED_NS", -60_000_000_000)  # as if all had been written long ago
    root = tmp_path / "store"
    shutil.copytree(laid_out.root, root)
    store = Store(root)
    assert len(list_runs(store)) == NUM_RUNS
    assert store.index_db.stat().st_mode & 0o777 == 0o600
    _forget()
    return store


def _forget() -> None:
    Listing._shared.clear()


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose folders are opened from now on."""
    opened: list[str] = []
    read = listing.read_run
    monkeypatch.setattr(listing, "read_run", lambda folder: opened.append(folder.name) or read(folder))
    return opened


def _by_name(store: Store) -> dict[str, RunSummary]:
    return {run.run_id: run for run in list_runs(store)}


def test_a_process_that_comes_later_opens_no_folder_and_tells_the_same(store, monkeypatch):
    monkeypatch.setattr(Listing, "_begin", lambda self: iter(()))
    without = list_runs(store)
    _forget()
    monkeypatch.undo()
    monkeypatch.setattr(listing, "_SETTLED_NS", -60_000_000_000)
    opened = _reads(monkeypatch)
    assert list_runs(store) == without
    assert opened == []


@pytest.mark.parametrize("is_warm", [False, True])
def test_what_changed_while_nobody_looked_is_seen(store, monkeypatch, is_warm):
    if is_warm:
        list_runs(store)
    opened = _reads(monkeypatch)
    with EventLog.open_writer(store.run_dir("run-1")) as writer:
        writer.append("RunVerified", equal=True)
    rename_run(store.run_dir("run-2"), "a title", by="test")
    shutil.rmtree(store.run_dir("run-3"))
    shutil.copytree(store.run_dir("run-4"), store.run_dir("copied-in"))
    (store.run_dir("run-5") / "events.jsonl").write_bytes(b"no event\n")
    (store.run_dir("run-5") / "summary.json").unlink()
    (store.run_dir("run-6") / "events.jsonl").unlink()
    with open(store.run_dir("run-7") / "events.jsonl", "ab") as file:  # a foreign hand: the folder's time stays
        file.write(b'{"seq": 5, "time": 1.0, "type": "RunVerified", "equal": false}\n')
    shutil.rmtree(store.run_dir("run-8"))
    shutil.copytree(store.run_dir("run-2"), store.run_dir("run-8"))  # another run under the name of one that was
    runs = _by_name(store)
    assert runs["run-1"].verified is True
    assert runs["run-2"].title == runs["run-8"].title == "a title"
    assert "run-3" not in runs and len(runs) == NUM_RUNS
    assert runs["copied-in"].state == "finished"
    assert runs["run-5"].reason == runs["run-6"].reason == "unreadable"
    assert runs["run-7"].verified is False
    assert set(opened) == {"run-1", "run-2", "copied-in", "run-5", "run-6", "run-7", "run-8"}


def test_labels_that_are_written_in_place_are_seen(store):
    rename_run(store.run_dir("run-1"), "one", by="test")
    list_runs(store)
    path = store.run_dir("run-1") / "labels.json"
    path.write_text(path.read_text().replace('"one"', '"two"'))
    assert _by_name(store)["run-1"].title == "two"


def test_a_run_that_may_not_be_read_is_told_of_until_it_may(store, monkeypatch):
    def closed(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(listing.snapshot, "load", closed)
        patch.setattr(listing.snapshot, "glance", lambda folder: None)
        os.utime(store.run_dir("run-1"))
        assert _by_name(store)["run-1"].reason == "unreadable"
    assert _by_name(store)["run-1"].state == "finished"


@pytest.mark.parametrize("damage", ["no database", "cut off", "wrong row", "other version", "removed"])
def test_a_cache_that_is_broken_is_made_anew(store, damage):
    expected = list_runs(store)
    _forget()
    path = store.index_db
    if damage == "no database":
        path.write_bytes(b"this is no database" * 1_000)
    elif damage == "cut off":
        os.truncate(path, path.stat().st_size // 2)
    elif damage == "removed":
        path.unlink()
    else:
        with closing(sqlite3.connect(path)) as db, db:
            if damage == "wrong row":
                db.execute("UPDATE runs SET body = REPLACE(body, 'finished', 'stopped')")
            else:
                db.execute("PRAGMA user_version = 7")
    assert list_runs(store) == expected
    _forget()
    assert list_runs(store) == expected


def test_a_cache_that_cannot_be_written_costs_time_alone(store):
    expected = list_runs(store)
    _forget()
    store.index_db.unlink()
    store.index_db.mkdir()
    assert list_runs(store) == expected


def test_what_was_changed_a_moment_ago_is_not_kept(store, monkeypatch):
    monkeypatch.setattr(listing, "_SETTLED_NS", 3_600_000_000_000)
    store.index_db.unlink()
    assert len(list_runs(store)) == NUM_RUNS
    assert not store.index_db.exists()


def test_two_processes_may_write_it_at_once(store):
    expected = list_runs(store)
    store.index_db.unlink()
    code = (
        "import sys, lepton_lab.runs.listing as l; l._SETTLED_NS = -10**11\n"
        "from lepton_lab.runs import Store, list_runs; print(len(list_runs(Store(sys.argv[1]))))"
    )
    argv = [sys.executable, "-c", code, str(store.root)]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in both] == [str(NUM_RUNS)] * 2
    _forget()
    assert list_runs(store) == expected


def test_a_listing_may_be_changed_by_whoever_asked_for_it(store):
    first = list_runs(store)
    first[0].tags.append("mine")
    first[0].sparkline.clear()
    first[0].state = "mine"
    assert list_runs(store) != first


def test_a_look_that_takes_long_rests_but_sees_at_once_what_the_product_does(store, monkeypatch):
    monkeypatch.setattr(listing, "_FREE_SECONDS", 0.0)
    monkeypatch.setattr(listing, "_RESTS_PER_LOOK", 1e9)
    monkeypatch.setattr(listing, "_RESTS_PER_DEEP_LOOK", 1e9)
    follower = Listing(store)
    follower.look()
    rename_run(store.run_dir("run-1"), "a title", by="test")
    shutil.copytree(store.run_dir("run-2"), store.run_dir("new"))
    roughly = follower.look(roughly=True)
    assert "new" in roughly and "title" not in roughly["run-1"].values
    assert follower.look()["run-1"].values["title"] == "a title"
    shutil.rmtree(store.run_dir("new"))
    assert "new" not in follower.look(roughly=True)


def test_a_look_in_parts_finds_the_same(store):
    expected = Listing(store).look()
    parts, follower = 0, Listing(store)
    deadline = time.monotonic() + 60
    while (found := follower.advance(0.0)) is None:
        parts += 1
        assert time.monotonic() < deadline
    assert parts >= 1 or NUM_RUNS < listing._RUNS_PER_STEP
    assert {name: each.values for name, each in found.items()} == {name: each.values for name, each in expected.items()}


def test_places_are_those_of_the_queue(store, spec):
    list_runs(store)
    for _ in range(2):
        Queue(store).enqueue(create_run(store, spec, name="waits").run_id)
    runs = _by_name(store)
    assert [runs[name].queue_position for name in ("run-0", "waits", "waits-2")] == [None, 1, 2]
    Queue(store).remove("waits")
    assert _by_name(store)["waits-2"].queue_position == 1


def test_a_glance_at_a_snapshot_tells_what_its_fold_does(store, spec):
    run = create_run(store, spec, name="glanced")
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, device="cpu")
        for epoch in range(1, 50):
            writer.append("EpochEnded", epoch=epoch, step=10 * epoch, train_loss=1 / epoch, val_accuracy=epoch / 50)
        writer.append("RunStopped", step=490, epoch=49.0, by="test")
    seen = snapshot.glance(run.dir)
    fold = snapshot.load(run.dir).fold
    assert seen is not None and seen[1] == fold.seal
    assert listing.whole(seen[0]) == fold.summary()
    with open(run.dir / "events.jsonl", "ab") as file:
        file.write(b'{"seq": 53, "time": 1.0, "type": "RunVerified", "equal": true}\n')
    assert snapshot.glance(run.dir) is None
    assert listing.whole(listing.read_run(run.dir).values).verified is True
