"""The REST routes: what they answer, and what they say when they cannot."""

from __future__ import annotations

import json
import os

import pytest
from tornado.httpclient import HTTPClientError

from lepton_lab.runs.control import pending_commands
from lepton_lab.runs.endpoints import EndpointRecord, KeyRecord, VersionRecord, save_record, stop_endpoint
from lepton_lab.runs.events import EventLog

API = ("lepton-lab", "api")


async def refused(jp_fetch, *parts: str, **kwargs) -> tuple[int, dict]:
    """The status and the body of a request that must fail."""
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*API, *parts, **kwargs)
    return caught.value.code, json.loads(caught.value.response.body)


async def test_an_empty_store_has_no_runs(get_json):
    assert await get_json("runs") == {"runs": []}
    assert await get_json("endpoints") == {"endpoints": []}


async def test_status_counts_runs(get_json, run, store):
    status = await get_json("status")
    assert status["runs"] == {"queued": 1}
    assert status["store_id"] == store.id
    assert status["supervisor"] is False


async def test_a_run_is_listed_and_described(get_json, run):
    (listed,) = (await get_json("runs"))["runs"]
    assert (listed["run_id"], listed["state"], listed["dataset"]) == (run.run_id, "queued", "digits")
    details = await get_json("runs", run.run_id)
    assert details["summary"]["run_id"] == run.run_id
    assert details["spec"]["train"]["epochs"] == 2
    assert await get_json("runs", run.run_id, "report") is None


async def test_a_list_shows_what_was_appended_since(get_json, run):
    assert (await get_json("runs"))["runs"][0]["state"] == "queued"
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    assert (await get_json("runs"))["runs"][0]["state"] == "starting"


async def test_the_curve_as_json(get_json, run):
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, steps_total=20, from_step=0)
        series = {"train_loss": {"step": [1, 2], "value": [2.0, None]}}
        writer.append("MetricsRecorded", series=series, step=2, epoch=0.2)
    curve = await get_json("runs", run.run_id, "curve.json")
    assert curve["series"]["train_loss"] == {"epoch": [0.1, 0.2], "value": [2.0, None]}
    assert curve["seq"] == 3


async def test_the_schema_of_every_form(get_json):
    schema = await get_json("schema")
    assert set(schema["specs"]) >= {"data", "model", "train", "deploy"}
    assert "channels" in schema["model_options"]["cnn"]["properties"]


async def test_an_unknown_run_is_404_with_the_nearest_name(jp_fetch, run):
    status, body = await refused(jp_fetch, "runs", "digits-cmn-1")
    assert status == 404
    assert "digits-cnn-1" in body["message"]
    assert body["reason"] == "UnknownName"


async def test_a_command_reaches_the_control_folder(jp_fetch, run):
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting", pid=1, attempt=1, warm=False)
    body = json.dumps({"command": "set_learning_rate", "value": 0.01})
    answer = await jp_fetch(*API, "runs", run.run_id, "commands", method="POST", body=body)
    assert answer.code == 202
    (command,) = pending_commands(run.dir)
    assert command["id"] == json.loads(answer.body)["id"]
    assert (command["command"], command["value"]) == ("set_learning_rate", 0.01)
    assert command["by"] == "panel"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("not json", 400, "JSON"),
        ("[1]", 400, "object"),
        ("{}", 400, "command"),
        ('{"command": "pausee"}', 404, "pause"),
        ('{"command": "pause", "valu": 1}', 404, "value"),
        ('{"command": "set_learning_rate", "value": -1}', 409, "learning rate"),
        ('{"command": "set_learning_rate", "value": NaN}', 409, "learning rate"),
        ('{"command": ["pause"]}', 400, "command"),
    ],
)
async def test_a_wrong_command_is_refused_with_a_sentence(jp_fetch, run, body, status, said):
    code, answer = await refused(jp_fetch, "runs", run.run_id, "commands", method="POST", body=body)
    assert code == status
    assert said in answer["message"]
    assert not pending_commands(run.dir)


async def test_a_refusal_is_in_the_language_that_the_page_asks_for(jp_fetch, run):
    asked = {"body": '{"command": "set_learning_rate", "value": -1}', "headers": {"Accept-Language": "zh-CN"}}
    _, answer = await refused(jp_fetch, "runs", run.run_id, "commands", method="POST", **asked)
    assert answer["message"] == "不允许学习率 -1；请给出大于 0、至多 100 的数。"


async def test_a_run_that_ended_takes_no_command(jp_fetch, run):
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, steps_total=20, from_step=0)
        writer.append("RunFinished", step=20, epoch=2, best_val_accuracy=0.9, seconds=1.0)
    code, answer = await refused(jp_fetch, "runs", run.run_id, "commands", method="POST", body='{"command": "pause"}')
    assert code == 409
    assert run.run_id in answer["message"]


async def test_a_broken_run_folder_is_a_failed_run_and_hides_no_other(get_json, jp_fetch, run, store):
    for name, content in (("torn", b'{"seq": 1, "ty'), ("noise", os.urandom(64) + b"\n"), ("wrong", b"[]\n{}\n")):
        (store.runs_dir / name).mkdir()
        (store.runs_dir / name / "events.jsonl").write_bytes(content)
    (store.runs_dir / "empty").mkdir()
    (store.runs_dir / "a name with spaces").mkdir()
    (store.runs_dir / "a-file").write_text("not a folder")
    listed = {each["run_id"]: each for each in (await get_json("runs"))["runs"]}
    assert listed.pop(run.run_id)["state"] == "queued"
    assert set(listed) == {"torn", "noise", "wrong", "empty", "a name with spaces"}
    assert {(each["state"], each["reason"]) for each in listed.values()} == {("failed", "unreadable")}
    for name in ("torn", "noise", "wrong", "empty"):
        details = await get_json("runs", name)
        assert details["summary"]["reason"] == "unreadable"
        assert details["spec"] is None
        await get_json("runs", name, "curve.json")


async def test_names_that_lead_out_of_the_store_find_nothing(jp_fetch, store):
    (store.root / "secret").mkdir()
    for name in ("..", "%2e%2e", "..%2fsecret", "a/../../secret", "x" * 65):
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch(*API, "runs", name)
        assert caught.value.code in (400, 404)


async def test_an_unknown_endpoint_cannot_be_stopped(jp_fetch):
    code, answer = await refused(jp_fetch, "endpoints", "nobody", "stop", method="POST", body="{}")
    assert code == 404
    assert "nobody" in answer["message"]


def make_endpoint(store) -> None:
    """The record of an endpoint with two versions and a key that was used, as its server leaves it when it stops."""
    folder = store.endpoint_dir("digits")
    folder.mkdir(parents=True)
    key = KeyRecord("k1", "lpt_abcd", "0" * 64, 1.0)
    versions = [VersionRecord(number, "0" * 64, f"run-{number}", float(number)) for number in (1, 2)]
    save_record(store, EndpointRecord("digits", "stopped", 2, "127.0.0.1", 8700, versions=versions, keys=[key]))
    (folder / "server.log").write_text("first line\nlast line\n")
    (folder / "usage.jsonl").write_text(
        '{"time": 1, "key_id": "k1", "requests": 3, "rows": 30, "compute_seconds": 0.5}\ntorn\n'
    )


async def test_all_about_an_endpoint_is_told_and_no_key_is_part_of_it(store, get_json):
    make_endpoint(store)
    told = await get_json("endpoints", "digits")
    assert told["summary"]["state"] == "stopped" and told["active_version"] == 2
    assert [each["version"] for each in told["versions"]] == [2, 1]
    (key,) = told["keys"]
    assert key["usage"] == {"requests": 3, "rows": 30, "compute_seconds": 0.5} and key["valid"]
    assert "sha256" not in key and "0" * 64 not in json.dumps(told["keys"])
    assert told["log"].endswith("last line\n") and told["drift"] is None


async def test_an_endpoint_goes_back_to_a_version_comes_back_and_loses_a_key(store, jp_fetch):
    make_endpoint(store)

    async def post(deed, **body):
        said = await jp_fetch(*API, "endpoints", "digits", deed, method="POST", body=json.dumps(body))
        return json.loads(said.body)

    told = await post("version", version=1)
    assert told["active_version"] == 1 and told["desired"] == "running"
    assert told["history"][0]["what"] == "rollback"
    stop_endpoint(store, "digits")
    assert (await post("start"))["desired"] == "running"
    (key,) = (await post("revoke", key_id="k1"))["keys"]
    assert not key["valid"]
    for deed, body, word in (("version", {"version": 9}, "no version 9"), ("version", {"version": "1"}, "the number")):
        code, answer = await refused(jp_fetch, "endpoints", "digits", deed, method="POST", body=json.dumps(body))
        assert code in (400, 502) and word in answer["message"]
    code, answer = await refused(jp_fetch, "endpoints", "digits", "revoke", method="POST", body='{"key_id": "other"}')
    assert code == 404
