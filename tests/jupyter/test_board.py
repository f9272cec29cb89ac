"""The board of many runs: the queue is read once, little is sent, and a client has all of it in the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lepton_lab.jupyter import board as board_module
from lepton_lab.jupyter import boardnews
from lepton_lab.jupyter.board import BoardScan
from lepton_lab.runs import EventLog, Store, create_run
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.summary import DEFAULTS
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec


@pytest.fixture
def waiting(tmp_path: Path) -> Store:
    """A store with five runs in its queue."""
    store = Store(tmp_path).prepare()
    spec = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec())
    for number in range(5):
        Queue(store).enqueue(create_run(store, spec, name=f"run-{number}").run_id)
    return store


class Client:
    """What a browser makes of the messages, as `js/src/panel/board.ts` does it."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.sent: boardnews.Runs | None = None
        self.num_messages = 0

    def take(self, board: dict[str, Any]) -> list[dict[str, Any]]:
        self.sent, messages = boardnews.since(self.sent, board)
        said = [json.loads(json.dumps(message)) for message in messages]
        for message in said:
            self.num_messages += 1
            if message["type"] == "state":
                self.runs = {}
            for run in message["runs"]:
                self.runs[run["run_id"]] = {**self.runs.get(run["run_id"], DEFAULTS), **run}
            for name in message.get("gone", []):
                del self.runs[name]
        return said


def _whole(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {run["run_id"]: {**DEFAULTS, **run} for run in board["runs"]}


def test_the_first_look_at_many_waiting_runs_reads_the_queue_once(waiting, monkeypatch):
    reads, connect = [], Queue._connect
    monkeypatch.setattr(Queue, "_connect", lambda queue: reads.append(1) or connect(queue))
    board = BoardScan(waiting)
    assert sorted(run["queue_position"] for run in board.look()["runs"]) == [1, 2, 3, 4, 5]
    board.look()
    assert len(reads) <= 1


def test_a_client_that_is_told_in_parts_has_all_of_it(waiting, monkeypatch):
    monkeypatch.setattr(boardnews, "FIRST_RUNS", 1)
    monkeypatch.setattr(boardnews, "RUNS_PER_MESSAGE", 2)
    with EventLog.open_writer(waiting.run_dir("run-0")) as writer:
        writer.append("RunStarted", steps_per_epoch=1)
    scan, client = BoardScan(waiting), Client()
    said = client.take(scan.look())
    assert [len(message["runs"]) for message in said] == [2, 2, 1]
    assert {run["run_id"] for run in said[0]["runs"]} >= {"run-0"}, "what is at work comes first, however old it is"
    assert client.runs == _whole(scan.look())


def test_only_what_has_changed_is_sent(waiting):
    scan, client = BoardScan(waiting), Client()
    client.take(scan.look())
    Queue(waiting).remove("run-0")
    with EventLog.open_writer(waiting.run_dir("run-0")) as writer:
        writer.append("RunStopped", step=0, epoch=0.0)
    (message,) = client.take(scan.look())
    told = {run.pop("run_id"): run for run in message["runs"]}
    assert told["run-4"] == {"queue_position": 4} and told["run-0"]["queue_position"] is None
    assert client.runs == _whole(scan.look())
    (message,) = client.take(scan.look())
    assert message["runs"] == message["gone"] == []


def test_why_a_run_failed_is_told_in_chinese_too_and_taken_back_when_it_goes_on(waiting, monkeypatch):
    scan, client = BoardScan(waiting), Client()
    client.take(scan.look())
    Queue(waiting).remove("run-0")
    with EventLog.open_writer(waiting.run_dir("run-0")) as writer:
        writer.append("RunFailed", reason="worker_died", message="The worker process disappeared.", step=0)
    client.take(scan.look())
    assert client.runs["run-0"]["message"] == "The worker process disappeared."
    assert client.runs["run-0"]["said"] == {"zh": "工作进程消失了。"}
    newcomer = Client()
    newcomer.take(scan.look())
    assert newcomer.runs["run-0"]["said"] == {"zh": "工作进程消失了。"}
    monkeypatch.setattr(boardnews, "MOST_TOLD", 0)
    far = Client()
    far.take(scan.look())
    assert "said" not in far.runs["run-0"], "of very many runs the newest alone are told in other languages"
    with EventLog.open_writer(waiting.run_dir("run-0")) as writer:
        writer.append("RunQueued", resumed=True)
    monkeypatch.undo()
    client.take(scan.look())
    assert client.runs["run-0"]["message"] is None and client.runs["run-0"]["said"] is None


def test_places_far_behind_are_renewed_now_and_then(waiting, monkeypatch):
    monkeypatch.setattr(board_module, "EXACT_PLACES", 1)
    monkeypatch.setattr(board_module, "PLACES_SECONDS", 1e9)
    scan = BoardScan(waiting)
    scan.look()
    Queue(waiting).remove("run-0")
    places = {run["run_id"]: run.get("queue_position") for run in scan.look(roughly=True)["runs"]}
    assert places == {"run-0": None, "run-1": 1, "run-2": 3, "run-3": 4, "run-4": 5}
    places = {run["run_id"]: run.get("queue_position") for run in scan.look()["runs"]}
    assert places == {"run-0": None, "run-1": 1, "run-2": 2, "run-3": 3, "run-4": 4}


async def test_a_part_of_the_runs_is_asked_for(waiting, jp_fetch, store):
    spec = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec())
    names = [create_run(store, spec, name=f"run-{number}").run_id for number in range(3)]

    async def ask(**params: str) -> list[str]:
        answer = await jp_fetch("lepton-lab", "api", "runs", params=params)
        return [run["run_id"] for run in json.loads(answer.body)["runs"]]

    assert await ask(offset="1", limit="1") == [names[1]]
    assert await ask(limit="2") == [names[2], names[1]]
    assert len(await ask()) == 3
    with pytest.raises(Exception, match=r"HTTP 4\d\d"):
        await ask(limit="-1")
