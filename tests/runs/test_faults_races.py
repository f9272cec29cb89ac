"""F17: many hands on one run at the same moment; exactly one gets it."""

from __future__ import annotations

import os

import pytest

from lepton_lab.errors import LeptonError
from lepton_lab.runs import EventLog, create_run, read_events, resume_run, send_command
from lepton_lab.runs.control import pending_commands
from lepton_lab.runs.lifecycle import delete_run
from lepton_lab.runs.seat import take_seat

pytestmark = pytest.mark.fault
HANDS = 4


def at_once(acts):
    """Does each act in a process of its own, all released at the same moment; returns which succeeded.

    A process holds what it got until all have tried.
    """
    start, told, over = os.pipe(), os.pipe(), os.pipe()
    children = []
    for number, act in enumerate(acts):
        child = os.fork()
        if child == 0:
            try:
                os.close(over[1])
                os.close(start[1])
                os.read(start[0], 1)  # everybody waits for the end of this pipe
                try:
                    held = act()
                    os.write(told[1], bytes([number]))
                except LeptonError:
                    os.write(told[1], bytes([255]))
                os.read(over[0], 1)
                del held
            finally:
                os._exit(0)
        children.append(child)
    os.close(start[1])
    answers = b""
    while len(answers) < len(children):
        answers += os.read(told[0], len(children))
    os.close(over[1])
    for child in children:
        os.waitpid(child, 0)
    for fd in (start[0], *told, over[0]):
        os.close(fd)
    return sorted(number for number in answers if number != 255)


@pytest.fixture
def quiet(store):
    """Somebody listens at the supervisor's pipe, so that no supervisor is started."""
    os.mkfifo(store.supervisor_pipe, 0o600)
    pipe = os.open(store.supervisor_pipe, os.O_RDWR | os.O_NONBLOCK)
    yield store
    os.close(pipe)


def test_of_many_workers_one_gets_the_seat(store, spec, repeat, faults):
    rounds, lost = repeat(4, 60), 0
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting")
    for _ in range(rounds):
        lost += len(at_once([lambda: take_seat(run.dir, wait_seconds=0.0)] * HANDS)) != 1
    faults.add("F17 many workers for one run", rounds, lost)
    assert lost == 0


def test_a_run_that_two_notebooks_resume_is_queued_once(quiet, spec, repeat, faults):
    rounds, lost = repeat(3, 40), 0
    for _ in range(rounds):
        run = create_run(quiet, spec)
        with EventLog.open_writer(run.dir) as writer:
            writer.append("RunStopped", step=0, epoch=0.0)
        done = at_once([lambda run=run: resume_run(quiet, run.run_id, by="notebook")] * HANDS)
        queued = sum(event["type"] == "RunQueued" for event in read_events(run.dir))
        lost += len(done) != 1 or queued != 2
    faults.add("F17 two notebooks resume one run", rounds, lost)
    assert lost == 0


def test_a_run_that_is_resumed_and_deleted_at_once_is_whole_or_gone(quiet, spec, repeat, faults):
    rounds, lost = repeat(3, 40), 0
    for _ in range(rounds):
        run = create_run(quiet, spec)
        with EventLog.open_writer(run.dir) as writer:
            writer.append("RunStopped", step=0, epoch=0.0)
        at_once(
            [
                lambda run=run: resume_run(quiet, run.run_id, by="notebook"),
                lambda run=run: delete_run(quiet, run.run_id, by="panel"),
            ]
        )
        lost += run.dir.exists() and run.summary().state != "queued"
    faults.add("F17 one run resumed and deleted at once", rounds, lost)
    assert lost == 0


def test_commands_of_many_hands_all_arrive(store, spec, repeat, faults):
    rounds, lost = repeat(2, 20), 0
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting")
    for _ in range(rounds):
        before = len(pending_commands(run.dir))
        at_once([lambda: send_command(run.dir, "checkpoint", by="panel")] * HANDS)
        lost += len(pending_commands(run.dir)) != before + HANDS
    faults.add("F17 commands from many hands", rounds, lost)
    assert lost == 0
