"""What an owner relies on: trials, rates, sleep, history, bills, code that runs as it is shown."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from lepton_lab.errors import EndpointError, SpecError
from lepton_lab.runs.endpoints import EndpointRecord, VersionRecord, load_record
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.clients import LANGUAGES, client_code, write_dockerfile
from lepton_lab.serving.keys import make_key
from lepton_lab.serving.lifecycle import new_key, try_version
from lepton_lab.serving.rates import Rates
from lepton_lab.serving.shadow import agree
from lepton_lab.session import Session
from lepton_lab.session.endpoint import Endpoint
from lepton_lab.session.host import Host

ROW = {"instances": [[[0.0] * 8] * 8]}


@pytest.fixture
def two_versions(served, other_folder):
    """The endpoint with a second version beside the active one."""
    other = bundles.load(other_folder)
    other.copy_to(served.host.folder / "versions" / "2")
    served.change(versions=[*served.record.versions, VersionRecord(2, other.sha256, "digits-linear-2", 0.0)])
    return served


async def versions_of(served, count: int = 40) -> list[int]:
    answers = await asyncio.gather(*(served.client.post("/predict", json=ROW) for _ in range(count)))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["version"] for answer in answers]


async def test_a_canary_gets_its_share_and_the_trial_ends(two_versions):
    try_version(two_versions.store, "digits", 2, share=0.5)
    await two_versions.host.follow_record()
    seen = await versions_of(two_versions, 60)
    assert {1, 2} == set(seen)
    metrics = (await two_versions.client.get("/metrics")).text
    assert f'lepton_version_requests_total{{version="2",outcome="answered"}} {seen.count(2)}' in metrics
    try_version(two_versions.store, "digits", 2, share=1)
    await two_versions.host.follow_record()
    assert set(await versions_of(two_versions)) == {2}
    try_version(two_versions.store, "digits", 2)
    await two_versions.host.follow_record()
    assert set(await versions_of(two_versions)) == {1}
    assert [change.what for change in load_record(two_versions.store, "digits").history] == ["trial"] * 3


async def test_a_shadow_sees_copies_and_nobody_sees_its_answers(two_versions):
    try_version(two_versions.store, "digits", 2, shadow=True)
    await two_versions.host.follow_record()
    assert set(await versions_of(two_versions, 10)) == {1}
    counts = two_versions.host.metrics.shadow
    async with asyncio.timeout(30):
        while sum(counts.values()) < 10:
            await asyncio.sleep(0.005)
    assert counts["agrees"] + counts["differs"] == 10
    assert "lepton_shadow_total" in (await two_versions.client.get("/metrics")).text


async def test_a_version_on_trial_that_is_broken_costs_the_active_one_nothing(two_versions, caplog):
    model = two_versions.host.folder / "versions" / "2" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    try_version(two_versions.store, "digits", 2, share=0.9)
    await two_versions.host.follow_record()
    assert set(await versions_of(two_versions, 10)) == {1}
    assert "cannot be tried" in caplog.text


def test_a_trial_needs_another_version_and_a_share(two_versions):
    for version, share, words in ((1, 0.5, "active"), (7, 0.5, "no version"), (2, 1.5, "0 to 1")):
        with pytest.raises(EndpointError, match=words):
            try_version(two_versions.store, "digits", version, share=share)


async def test_a_key_with_a_rate_is_told_when_to_come_back(served):
    kept, key = make_key(key_id="slow", requests_per_minute=3)
    served.change(keys=[*served.record.keys, kept])
    answers = [await served.client.post("/predict", json=ROW, headers={"X-API-Key": key}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20 and "3 times a minute" in answers[-1].json()["error"]
    assert (await served.client.post("/predict", json=ROW)).status_code == 200
    assert (await served.client.get("/info", headers={"X-API-Key": key})).status_code == 200


def test_a_bucket_fills_up_evenly():
    rates, key = Rates(), make_key(requests_per_minute=60)[0]
    assert [rates.wait_seconds(key, 0.0) for _ in range(60)] == [0.0] * 60
    assert rates.wait_seconds(key, 0.5) == pytest.approx(0.5)
    assert rates.wait_seconds(key, 1.1) == 0.0
    assert rates.wait_seconds(replace(key, requests_per_minute=None), 1.1) == 0.0


async def test_an_idle_endpoint_sleeps_and_the_next_request_wakes_it(served):
    served.change(sleep_after_seconds=60.0)
    served.host.watch.refresh()
    served.host.sleep_if_idle(time.monotonic())
    assert not served.host.asleep
    served.host.sleep_if_idle(time.monotonic() + 61)
    assert served.host.asleep and served.host.version == 1
    assert (await served.client.get("/v2/health/ready")).json() == {"ready": True}
    assert (await served.client.get("/metrics")).status_code == 200 and served.host.asleep
    assert set(await versions_of(served, 8)) == {1}
    assert not served.host.asleep


async def test_a_sleeping_endpoint_takes_a_new_version_when_it_wakes(two_versions):
    two_versions.change(sleep_after_seconds=60.0)
    two_versions.host.watch.refresh()
    two_versions.host.sleep_if_idle(time.monotonic() + 61)
    two_versions.change(active_version=2)
    await two_versions.host.follow_record()
    assert set(await versions_of(two_versions, 4)) == {2}


def test_a_record_of_the_first_release_is_read(served):
    values = served.record.to_dict()
    for name in ("canary_version", "canary_share", "shadow_version", "sleep_after_seconds", "tls", "history"):
        del values[name]
    for entry in values["versions"]:
        del entry["variant"]
    for entry in values["keys"]:
        del entry["requests_per_minute"]
    assert EndpointRecord.from_dict(values).versions == served.record.versions


@pytest.fixture
def endpoint(served):
    """The endpoint as its owner holds it."""
    return Endpoint("digits", Session(served.store, Host()))


async def test_the_bill_lists_every_key_and_is_csv(served, endpoint):
    key = endpoint.new_key(expires_days=2, requests_per_minute=100)
    assert (await served.client.post("/predict", json=ROW, headers={"X-API-Key": key})).status_code == 200
    served.usage.flush()
    rows = list(csv.DictReader(io.StringIO(endpoint.usage().to_csv())))
    assert [row["requests"] for row in rows] == ["0", "1"] and key.startswith(rows[1]["prefix"])
    endpoint.revoke_key(rows[1]["key"])
    assert (await served.client.post("/predict", json=ROW, headers={"X-API-Key": key})).status_code == 401
    assert endpoint.usage().rows[1][2] == "revoked" and "revoked" in str(endpoint.usage())
    assert [change.what for change in endpoint.history] == ["key", "key"]
    for wrong in ({"expires_days": 0}, {"requests_per_minute": 0}):
        with pytest.raises(SpecError):
            endpoint.new_key(**wrong)


def test_an_expired_key_is_listed_as_such(served, endpoint):
    kept, _ = new_key(served.store, "digits", expires=time.time() - 1)
    assert [row[2] for row in endpoint.usage().rows if row[0] == kept.id] == ["expired"]


def test_versions_and_logs_are_at_hand(served, endpoint):
    (served.host.folder / "server.log").write_text("\n".join(f"line {n}" for n in range(100)))
    assert endpoint.logs(2) == "line 98\nline 99"
    assert [version.version for version in endpoint.versions] == [1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_client_code_names_the_address_and_keeps_the_key_out(endpoint, language):
    code = endpoint.client_code(language)
    assert "http://127.0.0.1:8700/predict" in code and "LEPTON_KEY" in code and "lpt_" not in code
    with pytest.raises(SpecError, match="python, curl, javascript"):
        endpoint.client_code("cobol")


def test_client_code_for_a_table_holds_a_real_row(table_folder):
    bundle = bundles.load(table_folder)
    code = client_code("http://127.0.0.1:1", bundle, "python")
    compile(code, "client", "exec")
    assert json.dumps(bundle.manifest.example, ensure_ascii=False)[1:-1] in code
    shell = client_code("http://127.0.0.1:1", bundle, "curl").replace("curl -s", "printf '%s|'")
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True, env={"LEPTON_KEY": "k"})
    assert json.loads(said.stdout.split("|")[-2])["instances"] == [bundle.manifest.example]


def test_a_dockerfile_stands_beside_a_whole_bundle(endpoint, tmp_path):
    folder = endpoint.write_dockerfile(tmp_path / "image")
    assert "lepton-lab[serve]==" in (folder / "Dockerfile").read_text()
    assert bundles.load(folder / "bundle").sha256 == endpoint.versions[0].bundle_sha256
    with pytest.raises(SpecError, match="exists"):
        write_dockerfile(bundles.load(folder / "bundle"), folder, "1")


def test_shadows_compare_classes_and_numbers():
    assert agree(np.array([[0.1, 0.9]]), np.array([[0.4, 0.6]]))
    assert not agree(np.array([[0.1, 0.9]]), np.array([[0.6, 0.4]]))
    assert agree(np.array([[10.0]]), np.array([[10.05]])) and not agree(np.array([[10.0]]), np.array([[11.0]]))


def test_serving_still_never_loads_torch():
    code = "import sys, lepton_lab.serving.app, lepton_lab.serving.lifecycle, lepton_lab.serving.clients; "
    assert subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"]).returncode == 0
