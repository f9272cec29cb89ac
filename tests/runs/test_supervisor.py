"""The supervisor with real processes: order, slots, restarts, takeover, stop and resume."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs import ensure_supervisor, list_runs, resume_run, send_command
from lepton_lab.runs.control import pending_commands
from lepton_lab.runs.process import alive, read_identity
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import RunRecord
from tests.runs.runs_lab import overlapping, wait_until


def test_a_run_goes_from_queued_to_finished_with_a_whole_curve(lab):
    run = lab.submit(epochs=3)
    lab.wait(run, "finished")
    assert lab.steps(run) == list(range(1, 31))
    types = [event["type"] for event in run.events()]
    assert types[:3] == ["RunQueued", "RunStarting", "RunStarted"]
    assert types[-1] == "RunFinished"
    starting = lab.events(run, "RunStarting")[0]
    assert (starting["attempt"], starting["warm"]) == (1, False)
    assert starting["pid"] == read_identity(run.dir / "worker.json")["pid"]


def test_with_one_slot_the_second_run_waits_and_knows_its_place(lab):
    first = lab.submit(epochs=4, step_seconds=0.02)
    lab.wait(first, "running")
    second, third = lab.submit(), lab.submit()
    assert [second.summary().queue_position, third.summary().queue_position] == [1, 2]
    assert [run.queue_position for run in list_runs(lab.store)] == [2, 1, None]
    lab.wait(third, "finished")
    ends = [lab.events(run, "RunFinished")[0]["time"] for run in (first, second, third)]
    starts = [lab.events(run, "RunStarting")[0]["time"] for run in (first, second, third)]
    assert starts[1] >= ends[0] and starts[2] >= ends[1]


def test_two_slots_work_side_by_side(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "2")
    runs = [lab.submit(epochs=50, step_seconds=0.02) for _ in range(2)]
    for run in runs:
        lab.wait(run, "running")
    for run in runs:
        send_command(run.dir, "stop", by="test")
    for run in runs:
        lab.wait(run, "stopped")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has no two processes")
def test_a_run_of_two_processes_takes_two_slots(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "2")
    wide = lab.submit(epochs=50, step_seconds=0.02, devices=2)
    lab.wait(wide, "running")
    narrow = lab.submit(epochs=1)
    assert [entry.slot for entry in Queue(lab.store).entries()] == ["cpu:0,cpu:1", None]
    send_command(wide.dir, "stop", by="test")
    lab.wait(narrow, "finished")


def test_a_killed_worker_is_restarted_from_its_checkpoint_without_gap_or_duplicate(lab):
    run = lab.submit(epochs=6, step_seconds=0.01, max_restarts=10)
    for step in (12, 27, 41):
        lab.wait_step(run, step)
        os.kill(lab.worker(run)["pid"], signal.SIGKILL)
    summary = lab.wait(run, "finished")
    assert summary.restarts >= 2
    assert lab.steps(run) == list(range(1, 61))
    assert len(lab.events(run, "RunFinished")) == 1
    for event in lab.events(run, "RunRestarted"):
        assert event["reason"] == "worker_died"
        assert event["from_step"] % 5 == 0
        assert "SIGKILL" in event["message"]


def test_a_worker_that_always_dies_fails_the_run_with_its_last_words(lab):
    run = lab.submit(epochs=2, max_restarts=1, die_at=7, die_times=99)
    summary = lab.wait(run, "failed")
    assert summary.reason == "worker_died"
    assert "SIGKILL" in summary.message and "this is the toy's last line" in summary.message
    assert [event["attempt"] for event in lab.events(run, "RunStarting")] == [1, 2]
    lab.wait_idle()


def test_a_worker_that_cannot_even_start_fails_the_run(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_WORKER_MODULE", "no_such_module")
    run = lab.submit(max_restarts=0)
    assert "No module named" in lab.wait(run, "failed").message


def test_a_killed_supervisor_is_replaced_by_the_worker_and_the_run_adopted(lab):
    run = lab.submit(epochs=10, step_seconds=0.02)
    lab.wait_step(run, 5)
    worker = lab.worker(run)
    old = lab.kill_supervisor()
    lab.wait_supervisor(other_than=old)  # nobody but the worker has asked for it
    assert lab.worker(run) == worker
    lab.wait(run, "finished")
    assert run.summary().restarts == 0
    assert lab.steps(run) == list(range(1, 101))


def test_an_adopted_worker_that_dies_is_restarted_at_once(lab):
    run = lab.submit(epochs=40, step_seconds=0.02, checkpoint_every=2)
    lab.wait_step(run, 3)
    lab.wait_supervisor(other_than=lab.kill_supervisor())
    worker = lab.worker(run)
    os.kill(worker["pid"], signal.SIGKILL)
    killed_at = time.time()
    lab.wait(run, "starting", "running")
    restarted = wait_until(lambda: lab.events(run, "RunRestarted"), "a restart")
    assert restarted[0]["time"] - killed_at < 2.5
    assert "disappeared" in restarted[0]["message"]
    send_command(run.dir, "stop", by="test")
    lab.wait(run, "stopped")


def test_runs_finish_exactly_once_while_the_supervisor_is_killed_again_and_again(lab):
    runs = [lab.submit(epochs=2, step_seconds=0.008) for _ in range(8)]
    for _ in range(7):
        lab.kill_supervisor()
        ensure_supervisor(lab.store)
    for run in runs:
        lab.wait(run, "finished", seconds=40)
        assert len(lab.events(run, "RunFinished")) == 1
        assert lab.steps(run) == list(range(1, 21))
        assert run.summary().restarts == 0
        assert not overlapping(run)
    lab.wait_idle()


def test_killing_worker_and_supervisor_together_loses_nothing(lab):
    run = lab.submit(epochs=5, step_seconds=0.01, max_restarts=10)
    for step in (8, 23):
        lab.wait_step(run, step)
        worker = lab.worker(run)
        lab.kill_supervisor()
        os.kill(worker["pid"], signal.SIGKILL)
        ensure_supervisor(lab.store)
    lab.wait(run, "finished")
    assert lab.steps(run) == list(range(1, 51))
    assert run.summary().restarts == 2


def test_many_callers_at_once_get_one_supervisor(lab):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ensure_supervisor(lab.store), range(8)))
    lab.wait_supervisor()
    run = lab.submit()
    lab.wait(run, "finished")
    wait_until(lambda: len(lab.processes("lepton_lab.runs.supervisor")) == 1, "the others' leaving")
    assert len(lab.events(run, "RunStarting")) == 1


def test_two_processes_at_once_get_one_supervisor(lab):
    code = "import sys; from lepton_lab.runs import *; ensure_supervisor(Store(sys.argv[1]))"
    callers = [subprocess.Popen([sys.executable, "-c", code, lab.store.root]) for _ in range(2)]
    assert [caller.wait() for caller in callers] == [0, 0]
    lab.wait_supervisor()
    wait_until(lambda: len(lab.processes("lepton_lab.runs.supervisor")) == 1, "the others' leaving")


def test_asking_for_a_living_supervisor_returns_at_once(lab):
    ensure_supervisor(lab.store)
    lab.wait_supervisor()
    began = time.perf_counter()
    for _ in range(20):
        ensure_supervisor(lab.store)
    assert (time.perf_counter() - began) / 20 < 0.05


def test_a_queued_run_stops_at_once_and_can_be_resumed(lab):
    first = lab.submit(epochs=50, step_seconds=0.02)
    lab.wait(first, "running")
    second = lab.submit()
    send_command(second.dir, "stop", by="panel")
    assert second.summary().state == "stopped"
    assert pending_commands(second.dir) == []
    assert second.summary().queue_position is None
    send_command(first.dir, "stop", by="panel")
    lab.wait(first, "stopped")
    assert [event["type"] for event in second.events()] == ["RunQueued", "CommandReceived", "RunStopped"]
    resume_run(lab.store, second.run_id, by="panel")
    lab.wait(second, "finished")
    assert lab.steps(second) == list(range(1, 21))


def test_a_stopped_run_resumes_from_its_checkpoint(lab):
    run = lab.submit(epochs=5, step_seconds=0.01)
    lab.wait_step(run, 13)
    send_command(run.dir, "stop", by="cli")
    stopped_at = lab.wait(run, "stopped").step
    assert 13 <= stopped_at < 50
    send_command(run.dir, "resume", by="panel")
    lab.wait(run, "finished")
    assert lab.events(run, "RunStarted")[1]["from_step"] == stopped_at
    assert lab.steps(run) == list(range(1, 51))
    assert [mark["kind"] for mark in run.curve().marks] == ["stopped", "resumed"]
    with pytest.raises(RunError, match="has finished"):
        send_command(run.dir, "resume", by="panel")
    with pytest.raises(RunError, match="is finished"):
        resume_run(lab.store, run.run_id)


def test_pause_resume_and_learning_rate_while_it_runs(lab):
    run = lab.submit(epochs=8, step_seconds=0.01)
    lab.wait_step(run, 5)
    send_command(run.dir, "pause", by="notebook")
    step = lab.wait(run, "paused").step
    send_command(run.dir, "set_learning_rate", 0.02, by="notebook")
    lab.wait(run, "paused")
    assert run.summary().step == step
    send_command(run.dir, "resume", by="notebook")
    assert lab.wait(run, "finished").learning_rate == 0.02
    received = lab.events(run, "CommandReceived")
    assert [event["command"] for event in received] == ["pause", "set_learning_rate", "resume"]


def test_a_paused_run_whose_worker_died_is_paused_again(lab):
    run = lab.submit(epochs=8, step_seconds=0.01)
    lab.wait_step(run, 6)
    send_command(run.dir, "pause", by="notebook")
    lab.wait(run, "paused")
    os.kill(lab.worker(run)["pid"], signal.SIGKILL)
    wait_until(lambda: len(lab.events(run, "RunPaused")) == 2, "the second pause")
    # the worker may have died before it had ticked off the first pause, which then counts once more
    assert lab.events(run, "RunPaused")[1]["by"] in ("supervisor", "notebook")
    send_command(run.dir, "stop", by="notebook")
    lab.wait(run, "stopped")


def test_a_worker_that_is_deaf_to_a_hard_stop_is_ended(lab):
    run = lab.submit(epochs=500, step_seconds=0.02, deaf=True)
    lab.wait_step(run, 3)
    send_command(run.dir, "stop", {"hard": True}, by="cli")
    lab.wait(run, "stopped")
    assert not alive(lab.worker(run))
    assert run.summary().restarts == 0


def test_a_spare_takes_the_next_run_and_is_replaced(lab):
    ensure_supervisor(lab.store, warm=True)
    pid_file = lab.store.supervisor_dir / "spare.pid"
    spare = wait_until(lambda: pid_file.exists() and int(pid_file.read_text() or 0), "a spare")
    run = lab.submit(epochs=3)
    lab.wait(run, "finished")
    starting = lab.events(run, "RunStarting")[0]
    assert (starting["pid"], starting["warm"]) == (spare, True)
    wait_until(lambda: int(pid_file.read_text() or spare) != spare, "the next spare")


def test_the_spare_leaves_with_its_supervisor_and_is_back_after_a_kill(lab):
    ensure_supervisor(lab.store, warm=True)
    wait_until(lambda: lab.processes("--spare"), "a spare")
    lab.kill_supervisor()
    wait_until(lambda: not lab.processes("--spare"), "the spare's leaving")
    ensure_supervisor(lab.store)
    wait_until(lambda: lab.processes("--spare"), "a spare")


def test_an_idle_supervisor_leaves_nothing_behind(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_IDLE_SECONDS", "0.3")
    ensure_supervisor(lab.store, warm=True)
    lab.wait_supervisor()
    wait_until(lambda: not lab.processes(), "everybody's leaving")
    assert not lab.store.supervisor_pipe.exists()
    assert not lab.store.supervisor_json.exists()
    run = lab.submit()
    lab.wait(run, "finished")


def test_runs_submitted_while_it_leaves_are_not_forgotten(lab, monkeypatch):
    monkeypatch.setenv("LEPTON_IDLE_SECONDS", "0.01")
    for _ in range(5):
        run = lab.submit(epochs=1, step_seconds=0.001)
        lab.wait(run, "finished")


def test_a_lost_or_broken_queue_is_made_anew(lab):
    first = lab.submit(epochs=8, step_seconds=0.02)
    second = lab.submit(epochs=1)
    lab.wait_step(first, 3)
    lab.kill_supervisor()
    lab.store.queue_db.write_bytes(b"this is no database" * 100)
    ensure_supervisor(lab.store)
    lab.wait(first, "finished")
    lab.wait(second, "finished")
    assert first.summary().restarts == 0
    assert not overlapping(first)


def test_a_queue_that_breaks_under_a_living_supervisor_is_made_anew(lab):
    first = lab.submit(epochs=4, step_seconds=0.02)
    second = lab.submit(epochs=1)
    lab.wait_step(first, 3)
    lab.store.queue_db.write_bytes(b"this is no database" * 100)
    lab.wait(first, "finished")
    lab.wait(second, "finished")
    assert not overlapping(first)


def test_a_run_whose_submitter_died_halfway_is_queued_by_the_living_supervisor(lab, monkeypatch):
    before = lab.submit(epochs=1)
    lab.wait(before, "finished")
    supervisor = lab.supervisor()["pid"]
    with monkeypatch.context() as patch:  # killed after its record was written, before it was queued
        patch.setattr("lepton_lab.runs.record.enqueue", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        submitter = multiprocessing.get_context("fork").Process(target=lab.submit, kwargs={"epochs": 1, "name": "cut"})
        submitter.start()
        submitter.join(30)
    assert submitter.exitcode == -signal.SIGKILL
    run = RunRecord.find(lab.store, "cut")
    assert run.summary().state == "queued"
    lab.wait(run, "finished")
    assert lab.supervisor()["pid"] == supervisor
    assert len(lab.events(run, "RunStarting")) == 1


def test_a_copied_run_folder_is_not_started(lab):
    run = lab.submit(epochs=1)
    lab.wait(run, "finished")
    foreign = lab.store.runs_dir / "foreign"
    (foreign / "control").mkdir(parents=True)
    (foreign / "spec.json").write_bytes((run.dir / "spec.json").read_bytes())
    first = (run.dir / "events.jsonl").read_text().splitlines()[0]
    (foreign / "events.jsonl").write_text(first + "\n")  # queued, with another run's seal
    lab.kill_supervisor()
    other = lab.submit(epochs=1)
    lab.wait(other, "finished")
    states = {each.run_id: each.state for each in list_runs(lab.store)}
    assert states["foreign"] == "queued"
    assert not (foreign / "witness.txt").exists()


def test_broken_run_folders_do_not_hold_up_the_queue(lab):
    gone = lab.submit(epochs=200, step_seconds=0.02)
    lab.wait(gone, "running")
    torn, good = lab.submit(), lab.submit(epochs=1)
    (torn.dir / "events.jsonl").unlink()
    (torn.dir / "events.jsonl").mkdir()
    send_command(gone.dir, "stop", by="test")
    lab.wait(good, "finished")
    assert torn.summary().reason == "unreadable"
    assert "Traceback" not in lab.store.supervisor_log.read_text()


def test_a_run_in_trouble_lets_the_others_pass_and_is_said_once(lab):
    first = lab.submit(epochs=200, step_seconds=0.02)
    lab.wait(first, "running")
    troubled, good = lab.submit(), lab.submit(epochs=1)
    (troubled.dir / "events.lock").unlink()
    (troubled.dir / "events.lock").symlink_to("events.lock")  # cannot be opened, not even by root
    send_command(first.dir, "stop", by="test")
    lab.wait(good, "finished")
    assert troubled.summary().state == "queued"
    log = lab.store.supervisor_log.read_text()
    assert log.count(f"run {troubled.run_id}") == 1
    assert "Traceback" not in log
    (troubled.dir / "events.lock").unlink()
    lab.wait(troubled, "finished")


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(900)
def test_five_hundred_runs_and_fifty_kills(lab, monkeypatch, figure, faults):
    """F19."""
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "3")
    rng = random.Random(0)
    runs = [lab.submit(epochs=1, steps_per_epoch=3, step_seconds=0.001, checkpoint_every=3) for _ in range(500)]
    for _ in range(50):
        ensure_supervisor(lab.store)
        time.sleep(rng.uniform(0.0, 1.0))  # the moment of the kill is the random input of this test
        lab.kill_supervisor()
    ensure_supervisor(lab.store)
    for run in runs:
        lab.wait(run, "finished", seconds=400)
        assert len(lab.events(run, "RunFinished")) == 1
        assert lab.steps(run) == [1, 2, 3]
        assert not overlapping(run)
    twice = sum(len(lab.events(run, "RunFinished")) != 1 for run in runs)
    faults.add("F19 supervisor killed under 500 queued runs", 50, twice)
    figure("runs", "500 queued runs, supervisor killed 50 times: runs not finished exactly once", [twice], "== 0")
