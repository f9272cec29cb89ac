"""Commands: checked before they are left, in order, taken once, and nonsense does no harm."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_lab.errors import RunError, UnknownName
from lepton_lab.runs import EventLog, create_run, send_command
from lepton_lab.runs.control import done, pending_commands, wait_for_commands


@pytest.fixture
def run(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    return run


def test_commands_come_in_order_and_go_when_done(run):
    ids = [send_command(run.dir, name, by="cli") for name in ("pause", "checkpoint", "resume")]
    found = pending_commands(run.dir)
    assert [each["command"] for each in found] == ["pause", "checkpoint", "resume"]
    assert [each["id"] for each in found] == ids
    assert {each["by"] for each in found} == {"cli"}
    done(run.dir, ids[0])
    done(run.dir, ids[0])
    assert [each["id"] for each in pending_commands(run.dir)] == ids[1:]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 101, "0.1", None, True])
def test_an_impossible_learning_rate_is_refused(run, rate):
    with pytest.raises(RunError, match="learning rate"):
        send_command(run.dir, "set_learning_rate", rate, by="cli")
    assert pending_commands(run.dir) == []


def test_unknown_commands_and_values_are_refused_with_a_hint(run):
    with pytest.raises(UnknownName, match="Did you mean 'pause'"):
        send_command(run.dir, "pose", by="cli")
    with pytest.raises(RunError, match="takes no value"):
        send_command(run.dir, "pause", 3, by="cli")
    with pytest.raises(RunError, match="hard"):
        send_command(run.dir, "stop", {"soft": True}, by="cli")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"command": "delete"}', b"\xff"])
def test_a_file_that_is_no_command_is_taken_away(run, content):
    (run.dir / "control" / "00000000000000000001-x.json").write_bytes(content)
    send_command(run.dir, "pause", by="cli")
    assert [each["command"] for each in pending_commands(run.dir)] == ["pause"]
    assert len(list((run.dir / "control").iterdir())) == 1


def test_an_ended_run_says_so(run):
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunFinished", step=1, epoch=1.0)
    with pytest.raises(RunError, match="has finished, so it cannot pause"):
        send_command(run.dir, "pause", by="cli")


def test_twenty_faces_at_once(run):
    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(lambda _: send_command(run.dir, "checkpoint", by="cli"), range(20)))
    assert {each["id"] for each in pending_commands(run.dir)} == ids
    assert len(ids) == 20


def test_waiting_ends_with_a_command_or_in_time(run):
    assert wait_for_commands(run.dir, 0.02) is False
    assert wait_for_commands(run.dir, 60, is_over=lambda: True) is False
    send_command(run.dir, "pause", by="cli")
    assert wait_for_commands(run.dir, 60) is True
