"""F1, F4: kill -9 of workers and supervisors at random moments, and of a process in the middle of its record."""

from __future__ import annotations

import os
import random
import select
import signal
import struct
import time

import pytest

from lepton_lab.runs import EventLog, create_run, ensure_supervisor, read_events
from lepton_lab.runs.process import alive
from tests.runs.runs_lab import overlapping, repeated_intervals, wait_until

pytestmark = pytest.mark.fault


def append_until_killed(run_dir, told):
    try:
        with EventLog.open_writer(run_dir) as writer:
            for step in range(1 << 30):
                durable = step % 3 == 0
                seq = writer.append("CheckpointSaved" if durable else "WarningRaised", step=step, message="x" * 200)
                if durable:
                    os.write(told, struct.pack("<I", seq))
    finally:
        os._exit(1)


def test_no_event_that_was_reported_as_written_is_lost(store, spec, repeat, faults):
    rng, num_kills, lost = random.Random(1), repeat(15, 200), 0
    run = create_run(store, spec)
    for _ in range(num_kills):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            append_until_killed(run.dir, writer)
        os.close(writer)
        told = os.read(reader, 4)
        select.select([], [], [], rng.uniform(0, 0.02))  # the moment of the kill is the random input of this test
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reader, 4096):
            told += more
        os.close(reader)
        (reported,) = struct.unpack("<I", told[-4:])
        seqs = [event["seq"] for event in read_events(run.dir)]
        lost += seqs != list(range(1, len(seqs) + 1)) or seqs[-1] < reported
    faults.add("F1 killed while it writes events", num_kills, lost)
    assert lost == 0


@pytest.mark.timeout(600)
def test_workers_killed_at_random_moments_finish_once_with_a_whole_curve(lab, monkeypatch, repeat, faults):
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "2")
    num_runs, num_kills, epochs = repeat(1, 3), repeat(3, 60), repeat(4, 25)
    rng = random.Random(2)
    runs = [lab.submit(epochs=epochs, step_seconds=0.01, max_restarts=100) for _ in range(num_runs)]
    killed = 0
    while killed < num_kills and any(run.summary().state not in ("finished", "failed") for run in runs):
        time.sleep(rng.uniform(0.02, 0.4))  # the moment of the kill is the random input of this test
        at_work = [run for run in runs if run.summary().state in ("starting", "running")]
        worker = lab.known_worker(rng.choice(at_work)) if at_work else None
        if worker is not None and alive(worker):
            os.kill(worker["pid"], signal.SIGKILL)
            killed += 1
    lost, repeated = 0, 0.0
    for run in runs:
        lab.wait(run, "finished", seconds=300)
        is_whole = lab.steps(run) == list(range(1, 10 * epochs + 1)) and len(lab.events(run, "RunFinished")) == 1
        lost += not is_whole or overlapping(run)
        repeated = max(repeated, repeated_intervals(run, checkpoint_every=5))
    faults.add("F1 worker killed", killed, lost, repeated)
    assert lost == 0 and repeated <= 1.0


@pytest.mark.timeout(600)
def test_a_supervisor_killed_again_and_again_is_replaced_and_its_run_adopted(lab, repeat, faults, figure):
    num_kills = repeat(3, 50)
    rng = random.Random(3)
    run = lab.submit(epochs=10_000, step_seconds=0.01, checkpoint_every=50)
    lab.wait(run, "running")
    worker, seconds = lab.worker(run), []
    for _ in range(num_kills):
        old = lab.kill_supervisor()
        began = time.monotonic()
        lab.wait_supervisor(other_than=old)  # nobody but the worker asks for it
        seconds.append(time.monotonic() - began)
        time.sleep(rng.uniform(0.0, 0.3))  # the moment of the next kill is the random input of this test
    lab.wait(run, "running")
    lost = int(lab.worker(run) != worker or run.summary().restarts or overlapping(run))
    faults.add("F4 supervisor killed", num_kills, lost)
    figure("runs", "supervisor killed: longest seconds until its run was adopted", [max(seconds)], "<= 10")
    assert lost == 0


@pytest.mark.timeout(600)
def test_worker_and_supervisor_killed_in_turn_and_together(lab, repeat, faults):
    num_rounds = repeat(1, 12)
    rng = random.Random(4)
    epochs = 20 * num_rounds
    run = lab.submit(epochs=epochs, step_seconds=0.004, max_restarts=100)
    for _ in range(num_rounds):
        step = run.summary().step
        wait_until(lambda step=step: run.summary().step >= min(step + 7, 10 * epochs), "some steps")
        victims = rng.choice([("worker",), ("supervisor", "worker"), ("worker", "supervisor")])
        for victim in victims:
            if victim == "supervisor":
                lab.kill_supervisor()
            else:
                worker = lab.known_worker(run)
                if worker is not None and alive(worker):
                    os.kill(worker["pid"], signal.SIGKILL)
        ensure_supervisor(lab.store)
    lab.wait(run, "finished", seconds=300)
    is_whole = lab.steps(run) == list(range(1, 10 * epochs + 1)) and len(lab.events(run, "RunFinished")) == 1
    repeated = repeated_intervals(run, checkpoint_every=5)
    faults.add("F1+F4 worker and supervisor killed together", num_rounds, int(not is_whole), repeated)
    assert is_whole and not overlapping(run) and repeated <= 1.0
