"""Sizes, thinning and gc: nothing goes that was not named, and what somebody wants again stays."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_lab.runs import EventLog, create_run, list_runs
from lepton_lab.runs.checkpoints import all_steps, new_checkpoint, thin
from lepton_lab.runs.housekeeping import collect, human_bytes, plan_gc, run_size, store_sizes
from lepton_lab.runs.labels import pin_checkpoint, pin_run


def save(run, step, size=1000, **options):
    with new_checkpoint(run.dir, step, keep=99, **options) as folder:
        (folder / "weights.bin").write_bytes(bytes(size))


@pytest.fixture
def ended(store, spec):
    """A run with checkpoints at 10, 20 (the best), 30, 40, 50 that has ended."""
    run = create_run(store, spec)
    for step in (10, 20, 30, 40, 50):
        save(run, step, is_best=step == 20)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStopped", step=50, epoch=1.0)
    return run


def test_gc_says_what_it_would_free_and_then_frees_just_that(store, ended):
    pin_checkpoint(ended.dir, 30, by="test")
    plan = plan_gc(store)
    assert [item.path.name for item in plan.items] == ["0000000010", "0000000040"]
    assert "checkpoint 10 of" in str(plan) and "would be freed" in str(plan)
    assert all_steps(ended.dir) == [10, 20, 30, 40, 50]  # a plan removes nothing
    before = store_sizes(store)["runs_bytes"]
    assert collect(store, plan, by="test") == plan.bytes > 2000
    assert all_steps(ended.dir) == [20, 30, 50]
    assert store_sizes(store)["runs_bytes"] == before - plan.bytes
    assert plan_gc(store).items == [] and str(plan_gc(store)) == "There is nothing to free."


def test_what_is_wanted_again_since_the_plan_stays(store, ended):
    plan = plan_gc(store)
    pin_checkpoint(ended.dir, 10, by="test")
    collect(store, plan, by="test")
    assert all_steps(ended.dir) == [10, 20, 50]
    plan = plan_gc(store, runs_older_than_days=-1.0)
    assert [item.kind for item in plan.items] == ["run"]
    with EventLog.open_writer(ended.dir) as writer:
        writer.append("RunQueued", resumed=True)
        writer.append("RunStarting")
    assert collect(store, plan, by="test") == 0
    assert len(list_runs(store)) == 1


def test_runs_at_work_and_pinned_runs_are_left_alone(store, spec, ended):
    waiting = create_run(store, spec)
    for step in (1, 2, 3):
        save(waiting, step)
    pin_run(ended.dir, by="test")
    assert plan_gc(store, runs_older_than_days=-1.0).items == []
    pin_run(ended.dir, False, by="test")
    assert {item.run_id for item in plan_gc(store).items} == {ended.run_id}


def test_old_runs_go_when_that_is_asked_for(store, ended):
    now = time.time()
    assert plan_gc(store, runs_older_than_days=30, clock=now + 29 * 86_400).items[0].kind == "checkpoint"
    plan = plan_gc(store, runs_older_than_days=30, clock=now + 31 * 86_400)
    assert [(item.kind, item.why) for item in plan.items] == [("run", "it ended 31 days ago")]
    assert collect(store, plan, by="test") == plan.bytes
    assert list_runs(store) == []


def test_what_a_crash_left_goes_when_it_is_old(store, ended):
    half = store.runs_dir / ".new-0123"
    half.mkdir()
    (half / "spec.json").write_bytes(bytes(500))
    trash = store.runs_dir / ".trash-0123"
    trash.mkdir()
    assert [item.name for item in plan_gc(store).items if item.kind == "leftover"] == [".trash-0123"]
    os.utime(half, (0, 0))
    plan = plan_gc(store)
    assert [item.name for item in plan.items if item.kind == "leftover"] == [".new-0123", ".trash-0123"]
    collect(store, plan, by="test")
    assert not half.exists() and not trash.exists()


def test_prepared_datasets_go_only_when_asked_for_and_unused(store, spec, ended):
    for name in ("used", "unused", "fresh"):
        folder = store.cache_dir(name)
        folder.mkdir()
        (folder / "meta.json").write_bytes(bytes(100))
        os.utime(folder, (0, 0) if name != "fresh" else None)
    create_run(store, spec.model_copy(update={"data": spec.data.changed(fingerprint="used")}))
    assert not any(item.kind == "cache" for item in plan_gc(store).items)
    plan = plan_gc(store, caches=True)
    assert [item.path.name for item in plan.items if item.kind == "cache"] == ["unused"]
    collect(store, plan, by="test")
    assert not store.cache_dir("unused").exists() and store.cache_dir("used").exists()


def test_sizes_are_told_by_part(store, ended):
    size = run_size(store, ended.run_id)
    assert size.num_checkpoints == 5
    assert size.checkpoints_bytes > 5000 and size.events_bytes > 100 and size.bundle_bytes == 0
    assert size.bytes >= size.checkpoints_bytes + size.events_bytes
    assert store_sizes(store)["runs"][0] == size and store_sizes(store)["free_bytes"] > 0
    assert [human_bytes(n) for n in (0, 999, 1500, 2_500_000)] == ["0 B", "999 B", "1.5 kB", "2.5 MB"]


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=60).map(sorted), st.integers(2, 12))
def test_thinning_keeps_the_newest_and_spreads_the_rest(steps, keep):
    left = thin(steps, keep)
    assert len(left) == min(len(steps), keep)
    assert set(left) <= set(steps) and left == sorted(left)
    assert left[-2:] == steps[-2:]


def test_thinning_while_a_run_grows_leaves_its_history_evenly_spread():
    kept: list[int] = []
    for step in range(1, 1001):
        kept = thin([*kept, step], 10)
    gaps = [b - a for a, b in zip([0, *kept], kept, strict=False)][:-2]
    assert max(gaps) <= 4 * min(gaps)
