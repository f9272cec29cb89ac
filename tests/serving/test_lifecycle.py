"""Endpoints as processes: deploy, swap, roll back, stop, fail; started here as the supervisor would start them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from lepton_lab.errors import EndpointError, ServingError, UnknownName
from lepton_lab.runs.endpoints import edit_record, list_endpoints, load_record, summarize
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, python_command, read_identity, spawn_detached
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving import lifecycle, server
from lepton_lab.serving.client import Client
from lepton_lab.serving.ports import PortTaken, choose_port
from lepton_lab.specs import DeploySpec

PICTURE = [[0.0] * 8] * 8


class Starter:
    """Starts a server for every endpoint that wants one and has none."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self._mutex = threading.Lock()

    def __call__(self, store: Store) -> None:
        with self._mutex:
            for summary in list_endpoints(store):
                child = self.children.get(summary.name)
                if summary.state != "stopped" and (child is None or child.poll() is not None):
                    folder = store.endpoint_dir(summary.name)
                    arguments = ("--store", str(store.root), "--name", summary.name)
                    argv = python_command("tests.serving.lone_server", *arguments)
                    self.children[summary.name] = spawn_detached(argv, folder / "server.log")

    def end(self) -> None:
        for child in self.children.values():
            child.kill()
            child.wait(10)


@pytest.fixture
def start() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.end()


@pytest.fixture
def spec() -> DeploySpec:
    return DeploySpec(name="digits")


def test_deploy_is_ready_within_two_seconds_and_predicts(store, run_of, bundle_folder, start, spec, digits):
    run_id = run_of(bundle_folder)
    began = time.monotonic()
    summary, key = lifecycle.deploy(store, run_id, spec, start=start)
    assert time.monotonic() - began < 10, "2 s on an idle machine; a busy one may take longer"
    assert (summary.state, summary.version, summary.run_id) == ("ready", 1, run_id)
    assert summary.url.startswith("http://127.0.0.1:")
    rows = [np.asarray(digits.raw_sample("test", row)) for row in range(300)]
    with Client(summary.url, key or "") as client:
        answers = client.predict(rows)
        assert client.predict(digits.sample_png("test", 0), top=1)[0]["label"] == answers[0]["label"]
    truth = [digits.classes[label] for label in digits.splits["test"].labels[:300]]
    assert np.mean([answer["label"] == label for answer, label in zip(answers, truth, strict=True)]) > 0.85
    assert lifecycle.owner_key(store, "digits") != key
    record = (store.endpoint_dir("digits") / "record.json").read_text()
    assert key not in record and lifecycle.owner_key(store, "digits") not in record
    assert (store.endpoint_dir("digits") / "owner.key").stat().st_mode & 0o777 == 0o600


def test_the_server_never_loads_torch(store, run_of, bundle_folder, start, spec):
    lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    maps = Path(f"/proc/{start.children['digits'].pid}/maps")
    if maps.exists():
        assert "torch" not in maps.read_text() and "onnxruntime" in maps.read_text()


def test_same_name_same_url_new_version_same_bundle_none(store, run_of, bundle_folder, other_folder, start, spec):
    first, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    again, none = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    assert (again.version, again.url, none) == (1, first.url, None)
    second, none = lifecycle.deploy(store, run_of(other_folder), spec, start=start)
    assert (second.version, second.url, none) == (2, first.url, None)
    pid = start.children["digits"].pid
    back = lifecycle.rollback(store, "digits", start=start)
    assert (back.version, back.run_id) == (1, first.run_id)
    third, _ = lifecycle.deploy(store, run_of(other_folder), spec, start=start)
    assert third.version == 2 and start.children["digits"].pid == pid
    assert [entry.version for entry in load_record(store, "digits").versions] == [1, 2]
    with pytest.raises(EndpointError, match="no version 9"):
        lifecycle.rollback(store, "digits", 9, start=start)
    with Client(second.url, key or "") as client:
        assert client.info()["version"] == 2


def test_versions_change_under_load_without_a_failed_request(store, run_of, bundle_folder, other_folder, start, spec):
    summary, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    lifecycle.deploy(store, run_of(other_folder), spec, start=start)
    done, seen = threading.Event(), []

    def ask() -> None:
        with httpx.Client(base_url=summary.url, headers={"X-API-Key": key or ""}) as client:
            while not done.is_set():
                answer = client.post("/predict", json={"instances": [PICTURE]})
                seen.append((answer.status_code, answer.json().get("version")))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(5):
            lifecycle.rollback(store, "digits", 1, start=start)
            lifecycle.rollback(store, "digits", 2, start=start)
    finally:
        done.set()
        for asker in askers:
            asker.join(10)
    assert len(seen) > 20 and {status for status, _ in seen} == {200} and {version for _, version in seen} == {1, 2}


def test_a_broken_version_is_refused_and_the_old_one_goes_on(store, run_of, bundle_folder, other_folder, start, spec):
    lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    lifecycle.deploy(store, run_of(other_folder), spec, start=start)
    path = store.endpoint_dir("digits") / "versions" / "1" / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EndpointError, match="SHA-256"):
        lifecycle.rollback(store, "digits", start=start)
    assert load_record(store, "digits").active_version == 2
    with Client.of(store, "digits") as client:
        assert client.predict([PICTURE]) and client.info()["version"] == 2


def test_stop_and_start_keep_url_keys_and_usage(store, run_of, bundle_folder, start, spec):
    first, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    with Client(first.url, key or "") as client:
        client.predict([PICTURE])
    assert lifecycle.stop_endpoint(store, "digits").state == "stopped"
    assert start.children["digits"].wait(10) == 0
    assert sum(usage.rows for usage in lifecycle.usage_of(store, "digits").values()) == 1
    again = lifecycle.start_endpoint(store, "digits", start=start)
    assert (again.url, again.state, again.requests) == (first.url, "ready", 1)
    with Client(again.url, key or "") as client:
        assert client.predict([PICTURE])


def test_a_killed_server_comes_back_at_the_same_url(store, run_of, bundle_folder, start, spec):
    summary, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    os.kill(start.children["digits"].pid, signal.SIGKILL)
    start.children["digits"].wait(5)
    assert summarize(store, "digits").state == "starting"
    start(store)
    with Client(summary.url, key or "") as client:
        assert client.predict([PICTURE]), "the client waits for a server that is being restarted"


def test_a_signal_ends_it_in_order_with_the_accounts_written(store, run_of, bundle_folder, start, spec):
    summary, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    with Client(summary.url, key or "") as client:
        client.predict([PICTURE] * 3)
    start.children["digits"].terminate()
    assert start.children["digits"].wait(15) == 0
    assert sum(usage.rows for usage in lifecycle.usage_of(store, "digits").values()) == 3


def test_keys_are_added_and_revoked_at_once(store, run_of, bundle_folder, start, spec):
    summary, _ = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    kept, key = lifecycle.new_key(store, "digits")
    with Client(summary.url, key) as client:
        assert client.predict([PICTURE])
        lifecycle.revoke_key(store, "digits", kept.id)
        with pytest.raises(EndpointError, match="refuses the API key"):
            client.predict([PICTURE])
    with pytest.raises(UnknownName):
        lifecycle.revoke_key(store, "digits", "nobody")


def test_twenty_deploys_of_one_name_have_one_owner(store, run_of, bundle_folder, start, spec):
    run_id, barrier = run_of(bundle_folder), threading.Barrier(20)

    def deploy(_: int):
        barrier.wait(20)
        return lifecycle.deploy(store, run_id, spec, start=start)

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(deploy, range(20)))
    assert len([key for _, key in found if key]) == 1
    assert {(summary.url, summary.version, summary.state) for summary, _ in found} == {(found[0][0].url, 1, "ready")}
    assert len(load_record(store, "digits").versions) == 1


def test_a_new_endpoint_takes_the_next_port_an_old_one_says_who_has_it(store, run_of, bundle_folder, start):
    run_id = run_of(bundle_folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        summary, _ = lifecycle.deploy(store, run_id, DeploySpec(name="digits", port=port), start=start)
        assert load_record(store, "digits").port > port and summary.state == "ready"
    lifecycle.stop_endpoint(store, "digits")
    own = load_record(store, "digits").port
    with socket.create_server(("127.0.0.1", own)):
        with pytest.raises(PortTaken, match=f"Port {own} of the endpoint 'digits' is used by another program"):
            lifecycle.deploy(store, run_id, DeploySpec(name="digits"), start=start)
        with pytest.raises(PortTaken, match=str(own)):
            server.bind(load_record(store, "digits"))
    assert load_record(store, "digits").desired == "stopped"


def test_a_running_endpoint_does_not_move(store, run_of, bundle_folder, start, spec):
    run_id = run_of(bundle_folder)
    lifecycle.deploy(store, run_id, spec, start=start)
    with pytest.raises(EndpointError, match="stop it first"):
        lifecycle.deploy(store, run_id, DeploySpec(name="digits", port=9), start=start)


def test_ports_of_other_endpoints_are_kept_for_them(store, run_of, bundle_folder, start, spec):
    lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    lifecycle.stop_endpoint(store, "digits")
    own = load_record(store, "digits").port
    assert choose_port(store, "127.0.0.1", own, set()) != own


def test_a_server_that_fails_says_so_with_the_logs_last_line(store, run_of, bundle_folder, start, spec):
    run_id = run_of(bundle_folder)

    def break_and_start(store: Store) -> None:
        (store.endpoint_dir("digits") / "versions" / "1" / "bundle.json").write_text("{}")
        start(store)

    with pytest.raises(EndpointError, match=r"did not start: .*format None.*server\.log: .*ERROR"):
        lifecycle.deploy(store, run_id, spec, start=break_and_start)
    assert not list_endpoints(store)
    summary, key = lifecycle.deploy(store, run_id, spec, start=start)
    assert summary.state == "ready" and key


def test_a_second_server_of_one_endpoint_leaves(store, run_of, bundle_folder, start, spec, monkeypatch):
    lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    monkeypatch.setattr(server, "TAKEOVER_SECONDS", 0.05)
    assert server.main(["--store", str(store.root), "--name", "digits"]) == 1
    process = read_identity(store.endpoint_dir("digits") / "process.json")
    assert process and process["pid"] == start.children["digits"].pid and alive(process)


def test_a_server_ends_when_its_endpoint_is_gone(store, run_of, bundle_folder, start, spec):
    lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    (store.endpoint_dir("digits") / "record.json").unlink()
    assert start.children["digits"].wait(10) == 0


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([("RunQueued", {})], "has not finished training"),
        ([("RunQueued", {}), ("RunStarted", {}), ("EpochEnded", {"epoch": 3})], "epoch 3 has ended"),
        ([("RunStopped", {"step": 1, "epoch": 1})], "was stopped before its end"),
        (
            [("RunFailed", {"reason": "nan_loss", "message": "the loss became NaN", "step": 1})],
            "failed: the loss became",
        ),
        ([("RunFinished", {}), ("BundleFailed", {"message": "no operator"})], "could not be exported: no operator"),
    ],
)
def test_a_run_without_a_bundle_says_why(store, spec, events, sentence):
    folder = store.run_dir("digits-cnn-1")
    folder.mkdir()
    with EventLog.open_writer(folder) as writer:
        for kind, fields in events:
            writer.append(kind, **fields)
    with pytest.raises(EndpointError, match=sentence):
        lifecycle.deploy(store, "digits-cnn-1", spec, start=lambda _: None)
    assert not list_endpoints(store)


def test_deploy_waits_for_a_run_that_is_writing_its_bundle(store, spec, start, bundle_folder):
    folder = store.run_dir("digits-cnn-1")
    folder.mkdir()
    with EventLog.open_writer(folder) as writer, ThreadPoolExecutor(1) as pool:
        writer.append("RunFinished")
        deployed = pool.submit(lifecycle.deploy, store, "digits-cnn-1", spec, start=start)
        bundles.load(bundle_folder).copy_to(folder / "bundle")
        writer.append("BundleWritten", bytes=1, seconds=1)
        assert deployed.result(30)[0].state == "ready"


def test_unknown_runs_and_endpoints_are_named(store, spec):
    (store.run_dir("digits-cnn-1")).mkdir()
    with pytest.raises(UnknownName, match="digits-cnn-1"):
        lifecycle.deploy(store, "digits-cnn-2", spec)
    for call in (lifecycle.stop_endpoint, lifecycle.owner_key, lifecycle.rollback, lifecycle.usage_of):
        with pytest.raises(UnknownName):
            call(store, "nothing")


def test_broken_records_are_listed_never_raised(store):
    for name, content in (("a", "{"), ("b", "[]"), ("c", '{"name": "c"}'), ("d", json.dumps({"name": "../x"}))):
        store.endpoint_dir(name).mkdir()
        (store.endpoint_dir(name) / "record.json").write_text(content)
    found = list_endpoints(store)
    assert [summary.state for summary in found] == ["failed"] * 4 and all(summary.message for summary in found)
    with pytest.raises(ServingError), edit_record(store, "a"):
        pass
