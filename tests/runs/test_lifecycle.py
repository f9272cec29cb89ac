"""Retry, priority, place in line, preemption, delete, bring in from elsewhere: with real processes."""

from __future__ import annotations

import shutil

import pytest

from lepton_lab.errors import RunError, UnknownName
from lepton_lab.runs import EventLog, Store, create_run, list_runs, resume_run, send_command
from lepton_lab.runs.labels import pin_run, read_labels
from lepton_lab.runs.lifecycle import delete_run, import_run, move_run, retry_run, set_priority
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import trust_run
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from tests.runs.runs_lab import wait_until


def test_a_failed_run_is_tried_again_with_its_restarts_counted_anew(lab):
    run = lab.submit(epochs=2, max_restarts=0, die_at=7, die_times=1)
    lab.wait(run, "failed")
    retry_run(lab.store, run.run_id, by="panel")
    lab.wait(run, "finished")
    assert lab.steps(run) == list(range(1, 21))
    assert lab.events(run, "RunStarted")[1]["from_step"] == 5
    with pytest.raises(RunError, match="is finished; retry needs a run that is stopped or failed"):
        retry_run(lab.store, run.run_id, by="panel")


def test_priority_and_place_decide_who_starts_next(lab):
    first = lab.submit(epochs=200, step_seconds=0.02)
    lab.wait(first, "running")
    a, b, c = (lab.submit(epochs=1, name=name) for name in "abc")
    move_run(lab.store, "c", 1, by="panel")
    set_priority(lab.store, "b", 0, by="panel")
    assert [run.summary().queue_position for run in (c, a, b)] == [1, 2, 3]
    with pytest.raises(RunError, match=r"move needs a run that is queued"):
        move_run(lab.store, first.run_id, 1, by="panel")
    for wrong in (101, 1.5, True, "high"):
        with pytest.raises(RunError, match="whole number from -100 to 100"):
            set_priority(lab.store, "a", wrong, by="panel")
    send_command(first.dir, "stop", by="test")
    for run in (a, b, c):
        lab.wait(run, "finished")
    starts = {run.run_id: lab.events(run, "RunStarting")[0]["time"] for run in (a, b, c)}
    assert sorted(starts, key=starts.__getitem__) == ["c", "a", "b"]
    assert lab.events(b, "RunPrioritized")[0]["by"] == "panel"
    assert lab.events(c, "RunMoved")[0]["place"] == 1
    with pytest.raises(RunError, match="is finished"):
        set_priority(lab.store, "a", 1, by="panel")


def test_a_run_of_a_higher_priority_takes_the_device_at_a_checkpoint_and_gives_it_back(lab):
    low = lab.submit(epochs=10, step_seconds=0.02, checkpoint_every=1000)
    lab.wait_step(low, 4)
    high = lab.submit(epochs=1, name="high")
    lab.wait(low, "running")
    set_priority(lab.store, "high", 10, by="panel")
    lab.wait(high, "finished")
    summary = lab.wait(low, "finished", seconds=40)
    assert lab.steps(low) == list(range(1, 101))
    made_room = lab.events(low, "RunPreempted")
    assert [event["for"] for event in made_room] == ["high"]
    assert lab.events(low, "RunStarted")[1]["from_step"] == made_room[0]["step"] >= 4  # not a step repeated
    assert (summary.preemptions, summary.restarts) == (1, 0)
    assert lab.events(high, "RunStarting")[0]["time"] >= made_room[0]["time"]


def test_a_paused_run_that_makes_room_is_paused_again_when_it_is_back(lab):
    low = lab.submit(epochs=10, step_seconds=0.01)
    lab.wait_step(low, 4)
    send_command(low.dir, "pause", by="notebook")
    step = lab.wait(low, "paused").step
    high = lab.submit(epochs=1, name="high", priority=10)
    lab.wait(high, "finished")
    wait_until(lambda: len(lab.events(low, "RunPaused")) == 2, "the second pause")
    assert lab.wait(low, "paused").step <= step + 1  # a step may have been taken before the command was read
    send_command(low.dir, "resume", by="notebook")
    lab.wait(low, "finished")
    assert lab.steps(low) == list(range(1, 101))


def test_equals_do_not_take_each_others_device(lab):
    first = lab.submit(epochs=3, step_seconds=0.02, priority=5)
    lab.wait(first, "running")
    second = lab.submit(epochs=1, priority=5)
    lab.wait(second, "finished")
    assert lab.events(first, "RunPreempted") == []


def test_deaths_without_a_checkpoint_between_are_followed_by_growing_pauses(lab):
    run = lab.submit(epochs=1, max_restarts=3, die_at=2, die_times=3)
    lab.wait(run, "finished", seconds=40)
    restarted = [event["time"] for event in lab.events(run, "RunRestarted")]
    started = [event["time"] for event in lab.events(run, "RunStarting")[1:]]
    pauses = [begin - death for death, begin in zip(restarted, started, strict=True)]
    assert pauses[0] < pauses[1] and pauses[1] >= 1.0 and pauses[2] >= 2.0


def test_a_run_that_waits_to_be_restarted_stops_at_once(lab):
    run = lab.submit(epochs=1, max_restarts=20, die_at=2, die_times=99)
    wait_until(lambda: len(lab.events(run, "RunRestarted")) == 4, "the fourth death")  # 4 s of pause follow
    send_command(run.dir, "stop", by="cli")
    lab.wait(run, "stopped")


def test_a_supervisor_that_dies_during_the_pause_does_not_count_the_death_twice(lab):
    run = lab.submit(epochs=1, max_restarts=3, die_at=2, die_times=3)
    wait_until(lambda: len(lab.events(run, "RunRestarted")) == 3, "the third death")
    lab.kill_supervisor()
    from lepton_lab.runs import ensure_supervisor

    ensure_supervisor(lab.store)
    lab.wait(run, "finished")
    assert run.summary().restarts == 3


def test_an_ended_run_is_deleted_with_all_its_files_and_a_pinned_one_is_not(store, spec):
    run = create_run(store, spec)
    Queue(store).enqueue(run.run_id)
    other = create_run(store, spec)
    pin_run(run.dir, by="cli")
    with pytest.raises(RunError, match="pinned"):
        delete_run(store, run.run_id, by="cli")
    pin_run(run.dir, False, by="cli")
    assert delete_run(store, run.run_id, by="cli") > 0
    assert [each.run_id for each in list_runs(store)] == [other.run_id]
    assert Queue(store).entries() == []
    assert [path.name for path in store.runs_dir.iterdir()] == [other.run_id]
    assert run.run_id in (store.supervisor_dir / "deleted.log").read_text()
    with pytest.raises(UnknownName):
        delete_run(store, run.run_id, by="cli")
    assert delete_run(store, other.run_id, by="cli") > 0


def test_a_run_at_work_is_not_deleted(lab):
    run = lab.submit(epochs=100, step_seconds=0.02)
    lab.wait(run, "running")
    with pytest.raises(RunError, match="Stop it first"):
        delete_run(lab.store, run.run_id, by="panel")
    send_command(run.dir, "stop", by="panel")
    lab.wait(run, "stopped")
    lab.wait_idle()
    delete_run(lab.store, run.run_id, by="panel")
    assert list_runs(lab.store) == []


def test_an_unreadable_run_can_be_deleted(store, spec):
    run = create_run(store, spec)
    (run.dir / "events.jsonl").write_bytes(b"")
    assert run.summary().reason == "unreadable"
    delete_run(store, run.run_id, by="cli")
    assert list_runs(store) == []


def test_a_run_folder_opens_in_another_store_and_runs_no_code_of_its_own_before_somebody_says_so(lab, tmp_path):
    run = lab.submit(epochs=20, step_seconds=0.02)
    lab.wait_step(run, 12)
    elsewhere = tmp_path / "carried"
    shutil.copytree(run.dir, elsewhere)  # while it is at work: every file is whole at every moment, or ignored
    send_command(run.dir, "stop", {"hard": True}, by="test")
    lab.wait(run, "stopped")
    other = Store(tmp_path / "other")
    found = import_run(other, elsewhere, name="brought", by="cli")
    summary = found.summary()
    assert (summary.run_id, summary.state) == ("brought", "stopped")
    assert summary.step >= 12 and len(found.curve().series["train_loss"]) == summary.step
    assert read_labels(found.dir).history[-1]["by"].startswith("cli (brought in")
    with pytest.raises(RunError, match="trust_run"):
        resume_run(other, "brought")
    with pytest.raises(RunError, match="already"):
        import_run(other, elsewhere, name="brought", by="cli")
    trust_run(other, "brought", by="cli")
    assert read_labels(found.dir).trusted_by == "cli"


def test_what_is_no_run_folder_is_not_brought_in(store, tmp_path):
    with pytest.raises(RunError, match="not the folder of a run"):
        import_run(store, tmp_path, by="cli")
    run = create_run(store, RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec()))
    linked = tmp_path / "linked"
    shutil.copytree(run.dir, linked)
    (linked / "worker.log").symlink_to("/etc/passwd")
    with pytest.raises(RunError, match="link"):
        import_run(store, linked, by="cli")


def test_an_imported_run_without_code_of_its_own_may_be_resumed(store, spec, tmp_path):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStopped", step=0, epoch=0.0)
    other = Store(tmp_path / "other")
    copy = import_run(other, run.dir, by="cli")
    assert copy.summary().state == "stopped"
    from lepton_lab.runs.record import require_trust

    require_trust(copy, copy.spec())
