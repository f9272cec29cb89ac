"""Clients of others work as they are; ours speaks plainly; slow ones are cut."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import numpy as np
import pytest

from lepton_lab.errors import EndpointError, ServingError
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, read_identity
from lepton_lab.serving import client as clients
from lepton_lab.serving.client import Client
from tests.serving.conftest import make_endpoint

tritonclient = pytest.importorskip("tritonclient.http")


@dataclass
class Live:
    host: str
    port: int
    key: str
    log: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@pytest.fixture(scope="module")
def live(tmp_path_factory, bundle_folder) -> Iterator[Live]:
    """One server for this file, with short deadlines."""
    store = Store(tmp_path_factory.mktemp("live")).prepare()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    record, key = make_endpoint(store, bundle_folder)
    record.port = port
    from lepton_lab.runs.endpoints import save_record

    save_record(store, record)
    folder = store.endpoint_dir("digits")
    argv = python_command("tests.serving.lone_server", "--store", str(store.root), "--name", "digits", "--impatient")
    with (folder / "server.log").open("wb") as log:
        child = subprocess.Popen(argv, stderr=log, env={**__import__("os").environ, "PYTHONPATH": ":".join(sys.path)})
    deadline = time.monotonic() + 20
    while not (read_identity(folder / "process.json") or {}).get("ready"):
        assert child.poll() is None and time.monotonic() < deadline, (folder / "server.log").read_text()
        time.sleep(0.01)
    yield Live("127.0.0.1", port, key, str(folder / "server.log"))
    child.terminate()
    assert child.wait(15) == 0


@pytest.fixture
def triton(live):
    with tritonclient.InferenceServerClient(f"{live.host}:{live.port}", concurrency=2) as client:
        yield client


@pytest.fixture
def headers(live):
    return {"Authorization": f"Bearer {live.key}"}


def test_tritons_client_sees_health_and_metadata(triton, headers):
    assert triton.is_server_live(headers=headers) and triton.is_server_ready(headers=headers)
    assert triton.is_model_ready("digits", headers=headers) and triton.is_model_ready("digits", "1", headers=headers)
    assert "binary_tensor_data" in triton.get_server_metadata(headers=headers)["extensions"]
    assert triton.get_model_metadata("digits", headers=headers)["inputs"][0]["name"] == "input"
    assert not triton.is_server_live() and not triton.is_model_ready("other", headers=headers)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_tritons_client_infers(triton, headers, digits, binary_in, binary_out, compression):
    rows = digits.preparation.apply(np.asarray(digits.splits["test"].inputs[:5]))
    entry = tritonclient.InferInput("input", rows.shape, "FP32").set_data_from_numpy(rows, binary_data=binary_in)
    outputs = None if binary_out is None else [tritonclient.InferRequestedOutput("scores", binary_data=binary_out)]
    result = triton.infer(
        "digits",
        [entry],
        outputs=outputs,
        request_id="a",
        headers=headers,
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    scores = result.as_numpy("scores")
    assert scores.shape == (5, 10) and np.allclose(scores.sum(1), 1, atol=1e-5)
    assert result.get_response()["id"] == "a" and result.get_response()["model_version"] == "1"


def test_tritons_client_gets_errors_as_its_own(triton, headers):
    rows = np.zeros((1, 64), np.float32)
    entry = tritonclient.InferInput("input", rows.shape, "FP32").set_data_from_numpy(rows)
    with pytest.raises(Exception, match="shape"):
        triton.infer("digits", [entry], headers=headers)
    with pytest.raises(Exception, match="API key"):
        triton.infer("digits", [entry])


def test_a_kserve_style_client_works(live, headers, digits):
    rows = digits.preparation.apply(np.asarray(digits.splits["test"].inputs[:2]))
    body = {"inputs": [{"name": "input", "shape": list(rows.shape), "datatype": "FP32", "data": rows.tolist()}]}
    answer = httpx.post(f"{live.url}/v2/models/digits/infer", json=body, headers=headers)
    assert np.reshape(answer.json()["outputs"][0]["data"], (2, 10)).argmax(1).shape == (2,)


def _connect(live: Live) -> socket.socket:
    connection = socket.create_connection((live.host, live.port), timeout=15)
    return connection


def _seconds_until_cut(connection: socket.socket) -> tuple[float, bytes]:
    began, received = time.monotonic(), b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return time.monotonic() - began, received


def test_silent_slow_head_and_slow_body_are_cut(live):
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {live.key}\r\n".encode()
    for sent in (b"", b"GET / HT", head, head + b"Content-Length: 100\r\n\r\n{"):
        with _connect(live) as connection:
            connection.sendall(sent)
            seconds, received = _seconds_until_cut(connection)
            assert seconds < 8, sent
            assert b"408" in received if b"Content-Length" in sent else not received
    assert httpx.get(f"{live.url}/v2", headers={"X-API-Key": live.key}).status_code == 200


def test_a_reader_that_does_not_read_is_cut(live):
    request = f"GET /openapi.json HTTP/1.1\r\nHost: x\r\nX-API-Key: {live.key}\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(15)
        connection.connect((live.host, live.port))
        connection.setblocking(False)
        deadline, cut = time.monotonic() + 12, False
        while time.monotonic() < deadline and not cut:
            try:
                connection.send(request * 50)
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                cut = True
        assert cut


def test_an_oversized_body_is_413_over_a_real_socket(live):
    with _connect(live) as connection:
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {live.key}\r\n".encode())
        connection.sendall(b"Content-Length: 99999999999\r\n\r\n")
        assert b" 413 " in connection.recv(4096)


def test_rubbish_and_huge_heads_are_refused(live):
    for sent in (b"\x16\x03\x01rubbish\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n"):
        with _connect(live) as connection:
            try:
                connection.sendall(sent)
                answer = connection.recv(100)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
            assert not answer or b" 4" in answer[:13]
    assert httpx.get(f"{live.url}/v2", headers={"X-API-Key": live.key}).status_code == 200


def test_the_log_holds_no_key(live):
    with open(live.log) as file:
        text = file.read()
    assert "answers on" in text and live.key not in text and "Traceback" not in text


def test_our_client_says_what_is_wrong(live, tmp_path, monkeypatch, digits):
    monkeypatch.setattr(clients, "PATIENCE_SECONDS", 0.3)
    with Client(live.url, "lpt_wrong") as client, pytest.raises(EndpointError, match="refuses the API key"):
        client.predict([1])
    with Client(live.url, live.key) as client:
        with pytest.raises(ServingError, match=r"\d"):
            client.predict([[[1, 2]]])
        with pytest.raises(ServingError, match="cannot be read"):
            client.predict(str(tmp_path / "none.png"))
        (tmp_path / "a.png").write_bytes(digits.sample_png("test", 0))
        same = client.predict([tmp_path / "a.png", str(tmp_path / "a.png"), digits.raw_sample("test", 0)])
        assert len({answer["label"] for answer in same}) == 1
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with Client(nobody, "k") as client, pytest.raises(EndpointError, match="does not answer"):
        client.predict([1])


def test_our_client_waits_while_the_endpoint_is_busy():
    answers = iter([503, 503, 200])

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["X-API-Key"] == "k" and request.url.path == "/proxy/8700/predict"
        status = next(answers)
        return httpx.Response(status, headers={"Retry-After": "0"}, json={"predictions": [{"label": "a"}]})

    with Client("http://hub/proxy/8700/", "k", transport=httpx.MockTransport(handle)) as client:
        assert client.predict([{"age": 1}]) == [{"label": "a"}]


def test_our_client_splits_long_lists_and_takes_frames():
    import pandas
    import polars

    sizes = []

    def handle(request: httpx.Request) -> httpx.Response:
        instances = __import__("json").loads(request.content)["instances"]
        sizes.append(len(instances))
        return httpx.Response(200, json={"predictions": instances})

    with Client("http://x", "k", transport=httpx.MockTransport(handle)) as client:
        frame = {"age": list(range(600)), "city": ["Oslo"] * 600}
        for made in (polars.DataFrame(frame), pandas.DataFrame(frame)):
            answers = client.predict(made)
            assert len(answers) == 600 and answers[7] == {"age": 7, "city": "Oslo"}
        assert sizes == [256, 256, 88] * 2
        assert client.predict([np.float32(1), np.arange(4).reshape(2, 2).T]) == [1.0, [[0, 2], [1, 3]]]
        assert client.predict({"age": 1}) == [{"age": 1}] and client.predict([]) == []
