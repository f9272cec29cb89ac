"""The short way of the inference call gives the very answers of the usual way, whatever shape requests arrive in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from lepton_lab.serving.express import ExpressProtocol
from lepton_lab.serving.usage import read_usage
from tests.serving.conftest import Served

PATH = "/v2/models/digits/infer"


@asynccontextmanager
async def listening(served: Served) -> AsyncIterator[int]:
    config = uvicorn.Config(
        served.app, http=ExpressProtocol, ws="none", lifespan="off", log_config=None, proxy_headers=False
    )
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ExpressProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def request(key: str, body: bytes, path: str = PATH, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"X-API-Key: {key}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


def body(name: str = "one", value: float = 1.0, width: int = 8) -> bytes:
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 1, 8, width], "data": [value] * 8 * width}
    return json.dumps({"id": name, "inputs": [tensor]}).encode()


async def talk(served: Served, parts: Sequence[bytes], num_answers: int = 1) -> list[httpx.Response]:
    """Writes parts, each in a packet of its own, and reads answers."""
    answers = []
    async with listening(served) as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        for _ in range(num_answers):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            content = await reader.readexactly(int(headers["content-length"]))
            answers.append(httpx.Response(int(head[0].split()[1]), headers=headers, content=content))
        writer.close()
    return answers


@pytest.mark.parametrize("cut", [None, 1, 60, 200, 400])
async def test_a_request_is_answered_alike_however_it_is_cut(served, cut):
    whole = request(served.key, body())
    parts = [whole] if cut is None else [whole[:cut], whole[cut:]]
    [answer] = await talk(served, parts)
    usual = await served.client.post(PATH, content=body())
    assert answer.status_code == usual.status_code == 200
    assert answer.json() == usual.json()
    kept = {"content-type", "content-length", "x-content-type-options", "cache-control"}
    assert {name: answer.headers[name] for name in kept} == {name: usual.headers[name] for name in kept}


async def test_a_whole_request_takes_the_short_way(served, monkeypatch):
    monkeypatch.setattr(served.app, "router", None)  # the usual way is gone
    [answer] = await talk(served, [request(served.key, body())])
    assert answer.status_code == 200


async def test_requests_without_waiting_are_answered_in_their_order(served):
    names = [f"request {number}" for number in range(6)]
    whole = b"".join(request(served.key, body(name, float(at))) for at, name in enumerate(names))
    answers = await talk(served, [whole[:700], whole[700:]], len(names))
    assert [answer.json()["id"] for answer in answers] == names


@pytest.mark.parametrize(
    ("content", "key", "more", "status"),
    [
        (body(), "lpt_" + "A" * 43, (), 401),
        (body(width=9), None, (), 422),
        (b"{", None, (), 400),
        (body(), None, ("Inference-Header-Content-Length: 99999",), 400),
        (body(), None, ("Content-Encoding: zip",), 415),
    ],
)
async def test_what_is_wrong_is_refused_in_the_same_words(served, content, key, more, status):
    [answer] = await talk(served, [request(key or served.key, content, PATH, *more)])
    headers = {**({"X-API-Key": key} if key else {}), **dict(line.split(": ") for line in more)}
    usual = await served.client.post(PATH, content=content, headers=headers)
    assert (answer.status_code, answer.json()) == (usual.status_code, usual.json())
    assert answer.status_code == status


async def test_a_full_queue_and_a_rate_hold_here_too(served):
    served.host.in_flight = served.record.max_queue
    [answer] = await talk(served, [request(served.key, body())])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    served.host.in_flight = 0
    served.change(keys=[type(key)(**{**vars(key), "requests_per_minute": 1}) for key in served.record.keys])
    first, second = await talk(served, [request(served.key, body()) * 2], 2)
    assert (first.status_code, second.status_code) == (200, 429)
    assert served.host.in_flight == 0


async def test_a_fault_inside_is_a_plain_500(served, caplog):
    served.host.active.batcher._engine.session = None
    [answer] = await talk(served, [request(served.key, body())])
    assert answer.status_code == 500
    assert "server.log" in answer.json()["error"]
    assert served.host.in_flight == 0


async def test_every_answer_is_counted_and_logged_without_secrets(served):
    await talk(served, [request(served.key, body())] * 3, 3)
    await talk(served, [request("lpt_" + "A" * 43, body())])
    await served.client.post("/predict?note=secret", json={"instances": [[[0.0] * 8] * 8]})
    served.usage.flush()
    served.host.access.flush()
    [used] = read_usage(served.host.folder / "usage.jsonl").values()
    assert (used.requests, used.rows) == (4, 4)
    path = served.host.folder / "access.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 200, 401, 200]
    assert lines[0]["route"] == "/v2/models/{model}/infer"
    assert lines[0]["key_id"] == served.record.keys[0].id
    assert lines[3]["key_id"] is None
    assert served.key not in path.read_text()
    assert "secret" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
