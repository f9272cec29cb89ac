"""Runs that are there, from a browser: labels, queue, branches, comparison, disk space, the monitor."""

from __future__ import annotations

import json
import time

import pytest
from tornado.httpclient import HTTPClientError

from lepton_lab.runs.checkpoints import new_checkpoint
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.monitor import RUN_LIMIT_BYTES, append
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import create_run
from tests.jupyter.conftest import API


@pytest.fixture
def post(jp_fetch):
    async def send(*parts: str, **body: object) -> dict:
        return json.loads((await jp_fetch(*API, *parts, method="POST", body=json.dumps(body))).body)

    return send


@pytest.fixture
def refused(jp_fetch):
    async def send(*parts: str, **body: object) -> tuple[int, str]:
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch(*API, *parts, method="POST", body=json.dumps(body))
        return caught.value.code, json.loads(caught.value.response.body)["message"]

    return send


def end(run, accuracy: float = 0.9) -> None:
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", device="cpu", steps_per_epoch=5, steps_total=10, learning_rate=0.1, from_step=0)
        writer.append("EpochEnded", epoch=2, step=10, val_loss=0.1, val_accuracy=accuracy, is_best=True)
        writer.append("RunFinished", step=10, epoch=2, best_val_accuracy=accuracy, seconds=1.0)


async def test_labels_are_seen_on_the_board(post, refused, get_json, run):
    said = await post("runs", run.run_id, "labels", title="A title", tags=["b", "a"], note="Why not", pinned=True)
    assert (said["title"], said["tags"], said["note"], said["pinned"]) == ("A title", ["b", "a"], "Why not", True)
    assert (await post("runs", run.run_id, "labels", tags=["a"], title=None))["tags"] == ["a"]
    (listed,) = (await get_json("runs"))["runs"]
    assert (listed["title"], listed["tags"], listed["pinned"]) == (None, ["a"], True)
    assert (await refused("runs", run.run_id, "labels", tags="a"))[0] == 400
    assert (await refused("runs", run.run_id, "labels", pinned="yes")) == (
        400,
        "pinned is 'yes'; expected true or false.",
    )
    assert (await refused("runs", run.run_id, "labels", titel="x"))[0] == 404
    assert (await refused("runs", run.run_id, "labels", tags=["with space"]))[0] == 409
    assert (await refused("runs", "nobody", "labels", note=""))[0] == 404


async def test_the_queue_is_put_in_order(post, refused, get_json, store, spec, run):
    runs = [run, create_run(store, spec), create_run(store, spec)]
    for each in runs:
        Queue(store).enqueue(each.run_id)
    assert (await post("runs", runs[2].run_id, "queue", place=1))["queue_position"] == 1
    assert (await post("runs", runs[1].run_id, "queue", priority=7)) == {
        "run_id": runs[1].run_id,
        "priority": 7,
        "queue_position": 1,
    }
    places = {each["run_id"]: each["queue_position"] for each in (await get_json("runs"))["runs"]}
    assert [places[each.run_id] for each in runs] == [3, 1, 2]
    assert (await refused("runs", run.run_id, "queue"))[0] == 400
    assert (await refused("runs", run.run_id, "queue", priority=1000))[0] == 409


async def test_a_run_is_deleted_when_it_may_be(post, refused, run):
    await post("runs", run.run_id, "labels", pinned=True)
    status, said = await refused("runs", run.run_id, "delete")
    assert status == 409 and "pinned" in said
    assert (await post("runs", run.run_id, "delete", force=True))["freed_bytes"] > 0
    assert not run.dir.exists()


async def test_only_a_run_that_ended_is_tried_again(post, refused, run):
    assert (await refused("runs", run.run_id, "retry"))[0] == 409
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStopped", step=0, epoch=0, by="test")
    assert (await post("runs", run.run_id, "retry"))["run_id"] == run.run_id
    assert run.summary().state == "queued"


async def test_a_branch_says_where_it_comes_from(post, refused, get_json, run):
    end(run)
    assert "no intact checkpoint" in (await refused("runs", run.run_id, "fork"))[1]
    with new_checkpoint(run.dir, 10) as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "state.json").write_text(json.dumps({"format": 1, "step": 10, "num_epochs_ended": 2}))
    child = (await post("runs", run.run_id, "fork", train={"learning_rate": 0.5}, name="forked"))["run_id"]
    longer = (await post("runs", run.run_id, "continue", epochs=3))["run_id"]
    found = await get_json("runs", child, "details")
    (ancestor,) = found["lineage"]
    assert (ancestor["run_id"], ancestor["kind"], ancestor["step"]) == (run.run_id, "forked", 10)
    assert ancestor["changed"]["train.learning_rate"] == [None, 0.5]
    assert found["options"]["train.learning_rate"] == 0.5 and "fork" in found["asks"]
    assert (await get_json("runs", run.run_id, "details"))["checkpoints"] == [10]
    assert (await get_json("runs", longer))["spec"]["train"]["epochs"] == 5
    assert (await refused("runs", run.run_id, "continue", epochs="3"))[0] == 400
    assert (await refused("runs", run.run_id, "fork", train={"learning_rte": 1}))[0] == 404
    assert (await refused("runs", run.run_id, "fork", data={"name": "/etc"}))[0] == 404


async def test_runs_side_by_side(jp_fetch, store, spec, run):
    other = create_run(store, spec)
    end(run, 0.8)
    end(other, 0.9)
    answer = await jp_fetch(*API, "compare", params={"runs": f"{run.run_id},{other.run_id},gone-1"})
    found = json.loads(answer.body)
    assert [row["val_accuracy"] for row in found["rows"]] == [0.8, 0.9]
    assert found["gone"] == ["gone-1"] and found["differing"] == []
    assert found["curves"]["val_accuracy"][run.run_id] == {"epoch": [2.0], "value": [0.8]}
    nothing = json.loads((await jp_fetch(*API, "compare", params={"runs": "../../etc"})).body)
    assert nothing["rows"] == [] and nothing["gone"] == ["../../etc"]


async def test_only_what_was_shown_is_freed(post, refused, get_json, store, run):
    end(run)
    for step in (1, 2, 3):
        with new_checkpoint(run.dir, step, keep=3) as folder:
            (folder / "model.safetensors").write_bytes(b"x" * 1000)
    plan = await get_json("space")
    assert [item["run_id"] for item in plan["items"]] == [run.run_id, run.run_id]
    assert all("path" not in item for item in plan["items"])
    assert (await refused("space", bytes=plan["bytes"] - 1))[0] == 400
    assert (await post("space", bytes=plan["bytes"]))["freed_bytes"] == plan["bytes"]


async def test_the_monitor_tells_what_is_new(jp_fetch, get_json, run):
    (now,) = (await get_json("monitor"))["samples"]
    assert 0 <= now["cpu_fraction"] <= 1 and now["memory_total_bytes"] > 0
    at = time.time()
    for number in range(3):
        append(run.dir / "monitor.jsonl", {"time": at + number, "cpu_cores": 0.5}, RUN_LIMIT_BYTES)
    answer = await jp_fetch(*API, "runs", run.run_id, "monitor", params={"since": str(at + 0.5)})
    found = json.loads(answer.body)
    assert len(found["samples"]) == 2 and found["hints"] == []
    for wrong in ("soon", "nan"):
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch(*API, "monitor", params={"since": wrong})
        assert caught.value.code == 400
