"""Nothing opens without a key, a key ends at once, too much is sent away, and every answer is counted."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
import zlib

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lepton_lab.serving import requests
from lepton_lab.serving.gate import OPEN_PATHS
from lepton_lab.serving.keys import KEY_PREFIX, KeyRing, make_key
from lepton_lab.serving.requests import MAX_BODY_BYTES
from lepton_lab.serving.usage import UsageMeter, read_usage
from tests.serving.conftest import Served

PICTURE = {"instances": [[[0.0] * 8] * 8]}


def _paths(served: Served) -> list[tuple[str, str]]:
    """Every route of the live app with each of its methods."""
    filled = {"{model}": "digits", "{version}": "1"}
    found = []
    for route in served.app.router.routes:
        path = route.path
        for name, value in filled.items():
            path = path.replace(name, value)
        found += [(method, path) for method in route.methods]
    return found


async def test_every_route_is_closed_without_a_key_CVE_2024_28188_CVE_2026_2652(served):
    routes = _paths(served)
    assert len(routes) > 20
    for method, path in routes:
        for headers in (
            {},
            {"X-API-Key": "lpt_" + "A" * 43},
            {"Authorization": "Bearer "},
            {"Authorization": served.key},
        ):
            headers = {"X-API-Key": "", **headers}
            answer = await served.client.request(method, path, headers=headers, content=b"{}")
            assert answer.status_code == (200 if path in OPEN_PATHS else 401), (method, path, headers)
    assert frozenset({"/"}) == OPEN_PATHS


async def test_paths_that_do_not_exist_are_closed_too(served):
    for path in ("/nope", "/v2/models", "/predict/", "/x//", "/%2e%2e/etc/passwd", "/openapi.json/"):
        assert (await served.client.get(path, headers={"X-API-Key": ""})).status_code == 401
        assert (await served.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("asked", "said"),
    [("zh-CN,zh;q=0.9", "此模型不接受 CSV 行"), ("de, zh;q=0.5", "This model takes no CSV rows"), ("", "This model")],
)
async def test_a_refusal_is_in_the_language_that_is_asked_for_first(served, asked, said):
    headers = {"Accept-Language": asked, "Content-Type": "text/csv"}
    answer = await served.client.post("/predict", headers=headers, content=b"\n")
    assert answer.status_code >= 400 and answer.json()["error"].startswith(said), answer.json()


async def test_websockets_are_closed(served):
    sent = []

    async def send(message):
        sent.append(message)

    await served.app({"type": "websocket", "path": "/", "headers": []}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_the_open_page_holds_no_data(served):
    page = (await served.client.get("/", headers={"X-API-Key": ""})).text
    for secret in (served.key, "digits", served.bundle.manifest.run_id, served.record.keys[0].sha256):
        assert secret not in page


@pytest.mark.parametrize(
    "headers", [{"X-API-Key": "{key}"}, {"Authorization": "Bearer {key}"}, {"authorization": "bearer {key}"}]
)
async def test_a_key_opens(served, headers):
    filled = {"X-API-Key": "", **{name: value.format(key=served.key) for name, value in headers.items()}}
    if "X-API-Key" not in headers:
        del filled["X-API-Key"], served.client.headers["X-API-Key"]
    assert (await served.client.get("/v2/health/ready", headers=filled)).status_code == 200


async def test_a_revoked_or_expired_key_ends_with_the_next_request_CVE_2026_40934(served):
    kept, key = make_key(expires=time.time() + 1000)
    served.change(keys=[*served.record.keys, kept])
    assert (await served.client.get("/v2", headers={"X-API-Key": key})).status_code == 200
    for ended in ({"revoked": time.time()}, {"expires": time.time() - 1}):
        served.change(keys=[served.record.keys[0], type(kept)(**{**kept.__dict__, **ended})])
        assert (await served.client.get("/v2", headers={"X-API-Key": key})).status_code == 401
    assert (await served.client.get("/v2")).status_code == 200


async def test_a_broken_record_keeps_everybody_out_until_it_is_mended(served):
    path = served.host.folder / "record.json"
    content = path.read_bytes()
    path.write_bytes(b'{"half": ')
    assert (await served.client.get("/v2")).status_code == 401
    path.unlink()
    assert (await served.client.get("/v2")).status_code == 401
    path.write_bytes(content)
    async with asyncio.timeout(30):  # the record is looked at again a millisecond later
        while (await served.client.get("/v2")).status_code != 200:
            await asyncio.sleep(0)


def test_keys_are_256_bit_prefixed_and_kept_as_a_hash_CVE_2026_2635():
    made = [make_key() for _ in range(50)]
    assert len({key for _, key in made}) == 50
    for kept, key in made:
        assert key.startswith(KEY_PREFIX) and len(key) == len(KEY_PREFIX) + 43
        assert key not in repr(kept) and len(kept.sha256) == 64 and key.startswith(kept.prefix)
        assert KeyRing([kept]).check(key) == kept and KeyRing([kept]).check(key[:-1]) is None
    assert KeyRing([made[0][0]]).check("\udcff" * 10) is None


async def test_the_key_is_nowhere_in_logs_and_records_CVE_2022_24757(served, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    await served.client.post("/predict", json=PICTURE)
    await served.client.post("/predict", content=b"{", headers={"Content-Type": "application/json"})
    answers = [await served.client.get(path) for path in ("/info", "/metrics", "/openapi.json", "/nope")]
    served.usage.flush()
    written = "".join(p.read_text("utf-8", "replace") for p in served.host.folder.glob("*.json*"))
    for text in (caplog.text, *capsys.readouterr(), written, *(answer.text for answer in answers)):
        assert served.key not in text


async def test_a_full_queue_says_503_with_retry_after(served):
    served.change(max_queue=2)
    body_read, go_on = asyncio.Event(), asyncio.Event()

    async def slow_body():
        yield b'{"instances":'
        body_read.set()
        await go_on.wait()
        yield b"[[" + b",".join([b"[0,0,0,0,0,0,0,0]"] * 8) + b"]]}"

    async def slow():
        return await served.client.post("/predict", content=slow_body(), headers={"Content-Type": "application/json"})

    waiting = [asyncio.create_task(slow()) for _ in range(2)]
    await asyncio.wait_for(body_read.wait(), 5)
    while served.host.in_flight < 2:
        await asyncio.sleep(0)
    refused = await served.client.post("/predict", json=PICTURE)
    assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
    assert (await served.client.get("/v2/health/ready")).status_code == 200
    go_on.set()
    assert [(await task).status_code for task in waiting] == [200, 200]
    assert served.host.in_flight == 0 and served.host.metrics.rejected == 1


async def test_many_at_once_are_answered_together(served):
    answers = await asyncio.gather(*(served.client.post("/predict", json=PICTURE) for _ in range(64)))
    assert {answer.status_code for answer in answers} == {200}
    batches = served.host.metrics.batch_rows
    assert batches.total == 64 and sum(batches.counts) < 64


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_413(served, chunked):
    async def parts():
        for _ in range(MAX_BODY_BYTES // 2**20 + 1):
            yield bytes(2**20)

    content = parts() if chunked else bytes(MAX_BODY_BYTES + 1)
    answer = await served.client.post("/predict", content=content, headers={"Content-Type": "image/png"})
    assert answer.status_code == 413 and "16 MiB" in answer.json()["error"]


async def test_a_gzip_bomb_is_413_and_costs_no_memory(served):
    bomb = gzip.compress(bytes(200 * 2**20))
    for path in ("/predict", "/v2/models/digits/infer"):
        answer = await served.client.post(path, content=bomb, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 413


@pytest.mark.parametrize("encode", [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compressed_bodies_are_read(served, encode):
    import json

    name, compress = encode
    headers = {"Content-Encoding": name, "Content-Type": "application/json"}
    body = compress(json.dumps(PICTURE).encode())
    assert (await served.client.post("/predict", content=body, headers=headers)).status_code == 200
    assert (await served.client.post("/predict", content=body[:-9], headers=headers)).status_code == 400
    assert (await served.client.post("/predict", content=b"no", headers=headers)).status_code == 400
    strange = {**headers, "Content-Encoding": "br"}
    assert (await served.client.post("/predict", content=body, headers=strange)).status_code == 415


async def test_a_body_that_never_comes_is_408(served, monkeypatch):
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)

    async def never():
        yield b"{"
        await asyncio.Event().wait()

    answer = await served.client.post("/predict", content=never())
    assert answer.status_code == 408 and answer.headers["connection"] == "close"


async def test_an_inner_fault_is_a_plain_500_without_details(served, caplog):
    def broken(rows):
        raise RuntimeError("secret detail")

    served.host.active.batcher._engine.run = broken
    answer = await served.client.post("/predict", json=PICTURE)
    assert answer.status_code == 500 and "secret" not in answer.text and "server.log" in answer.text
    assert "secret detail" in caplog.text and served.host.in_flight == 0


async def test_usage_is_counted_by_key_and_survives_restarts(served, tmp_path):
    kept, second = make_key(key_id="second")
    served.change(keys=[*served.record.keys, kept])
    two = {"instances": PICTURE["instances"] * 2}
    for key in (served.key, second, second):
        await served.client.post("/predict", json=two, headers={"X-API-Key": key})
    await served.client.get("/v2", headers={"X-API-Key": "lpt_wrong"})
    served.usage.flush()
    path = served.host.folder / "usage.jsonl"
    with path.open("ab") as file:
        file.write(b'{"torn": ')
    for _ in range(2):
        totals = read_usage(path)
        assert (totals["second"].requests, totals["second"].rows) == (2, 4) and totals["second"].compute_seconds > 0
        assert totals[served.record.keys[0].id].requests == 1 and len(totals) == 2
        UsageMeter(path)
    assert len(path.read_bytes().splitlines()) == 2


async def test_metrics_are_prometheus_text(served):
    await served.client.post("/predict", json=PICTURE)
    await served.client.get("/nope")
    text = (await served.client.get("/metrics")).text
    samples = {
        (sample.name, sample.labels.get("route"), sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["lepton_requests_total", "/predict", "200"] == 1
    assert samples["lepton_requests_total", "other", "404"] == 1
    assert samples["lepton_batch_rows_sum", None, None] == 1
    assert samples["lepton_active_version", None, None] == 1


async def test_safe_headers_are_everywhere(served):
    for path in ("/", "/info", "/nope"):
        headers = (await served.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


async def test_the_record_chooses_the_version_and_a_bad_one_changes_nothing(served, other_folder):
    from lepton_lab.runs.endpoints import VersionRecord
    from lepton_lab.serving import bundle as bundles

    other = bundles.load(other_folder)
    other.copy_to(served.host.folder / "versions" / "2")
    versions = [*served.record.versions, VersionRecord(2, other.sha256, "r", 0.0), VersionRecord(3, "0" * 64, "r", 0.0)]
    served.change(versions=versions, active_version=2)
    await served.host.follow_record()
    assert (await served.client.post("/predict", json=PICTURE)).json()["version"] == 2
    served.change(active_version=3)
    await served.host.follow_record()
    assert served.host.problem is not None and served.host.problem[0] == 3
    assert (await served.client.post("/predict", json=PICTURE)).json()["version"] == 2


async def test_head_and_wrong_methods(served: Served):
    assert (await served.client.head("/v2")).content == b""
    answer = await served.client.get("/predict")
    assert answer.status_code == 405 and "POST" in answer.json()["error"]
    assert isinstance(answer, httpx.Response)
