"""The inference server in figures, its peers in the same run on the same machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from lepton_lab.data import from_arrays
from lepton_lab.data import load as load_data
from lepton_lab.runs.endpoints import load_record
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import read_identity
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving import lifecycle
from lepton_lab.serving.engine import Engine
from lepton_lab.specs import DeploySpec
from tests.benchmarks.rows import Row, row

ROUNDS = 3
PEERS = ("fastapi", "litserve", "litserve-batched", "ray", "ray-batched")
PEER_SECONDS = 60.0
SWAPS = 100
SHAPE = (1, 28, 28)


def measure(*, only_speeds: bool = False) -> list[Row]:
    """All rows of the inference server, or its speed beside the peers alone."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store").prepare()
        try:
            return _measure(store, Path(folder), only_speeds)
        finally:
            for endpoint in lifecycle.list_endpoints(store):
                lifecycle.stop_endpoint(store, endpoint.name)
            _end_supervisor(store)


def _measure(store: Store, folder: Path, only_speeds: bool) -> list[Row]:
    bundle = make_bundle(store)
    ready = []
    for number in range(ROUNDS):
        start = time.perf_counter()
        summary, key = lifecycle.deploy(store, "bench-1", DeploySpec(name=f"bench{number}"))
        ready.append(time.perf_counter() - start)
        if number:
            lifecycle.stop_endpoint(store, summary.name)
    record = load_record(store, "bench0")
    key = lifecycle.owner_key(store, "bench0")
    pid = int((read_identity(store.endpoint_dir("bench0") / "process.json") or {})["pid"])
    ours: dict[str, list[dict[str, Any]]] = {"json": [], "binary": []}
    peers: dict[str, list[dict[str, Any]]] = {}
    requests = {kind: folder / f"{kind}.http" for kind in (*ours, "peer")}
    for kind, path in requests.items():
        path.write_bytes(request_bytes(kind, key))
    for _ in range(ROUNDS):
        for kind, found in ours.items():
            found.append(load(record.port, requests[kind], pid))
    for name in PEERS:
        if find_spec(name.partition("-")[0]) is None:
            continue
        with peer(name) as (port, peer_pid):
            peers[name] = [load(port, requests["peer"], peer_pid) for _ in range(ROUNDS)]
    rates = bare_rate(bundle)
    if only_speeds:
        return _speeds(ours, peers, rates)
    rows = [row("serve", "deploy to ready, seconds", ready, "<= 2.0")]
    rows += _speeds(ours, peers, rates)
    rows.append(row("serve", f"failed requests while a version was replaced {SWAPS} times", [swaps(store)], "<= 0"))
    rows.append(row("serve", "killed server back, seconds", [kill(store) for _ in range(ROUNDS)], "<= 1.0"))
    return rows


def _speeds(
    ours: dict[str, list[dict[str, Any]]], peers: dict[str, list[dict[str, Any]]], rates: tuple[float, float]
) -> list[Row]:
    """Requests a second against the best peer, and against the engine alone."""
    rows = []
    best, best_p99 = 0.0, float("inf")
    for name, found in peers.items():
        values = [each["per_second"] for each in found]
        p99 = _median(found)
        rows.append(row("serve", f"requests a second, {name} with torch, JSON", values, "report", p99_ms=p99))
        if _middle(values) > best:
            best, best_p99 = _middle(values), p99
    for kind, goal in (("json", 4), ("binary", 10)):
        values = [each["per_second"] for each in ours[kind]]
        p99 = _median(ours[kind])
        rows.append(row("serve", f"requests a second, {kind}, 32 connections", values, "report", p99_ms=p99))
        if best:
            times = [value / best for value in values]
            rows.append(row("serve", f"times the best peer, {kind}", times, f">= {goal}", best_peer=best))
        if best and kind == "json":
            shares = [each["p99_ms"] / best_p99 for each in ours[kind]]
            rows.append(row("serve", "p99 against the best peer's, json", shares, "<= 1.0", peer_p99_ms=best_p99))
    rows += _by_processor_time(ours, peers)
    for field, rate, how in (("per_second", rates[0], ""), ("per_processor_second", rates[1], " by processor time")):
        survived = [each[field] / rate for each in ours["binary"]]
        measure = f"share of the bare engine's rate over HTTP, batch 1{how}"
        rows.append(row("serve", measure, survived, ">= 0.5", bare=rate))
    failed = sum(n for found in ours.values() for each in found for s, n in each["statuses"].items() if s != "200")
    return [*rows, row("serve", "answers other than 200 under load", [failed], "<= 0")]


def _by_processor_time(ours: dict[str, list[dict[str, Any]]], peers: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """The same by the processor time that each server took: what other work on the machine does not touch."""
    field, rows = "per_processor_second", []
    best = max((_middle([each[field] for each in found]) for found in peers.values()), default=0.0)
    for name, found in {**peers, **ours}.items():
        rows.append(row("serve", f"requests a processor second, {name}", [each[field] for each in found], "report"))
    for kind, goal in (("json", 4), ("binary", 10)):
        if best:
            times = [each[field] / best for each in ours[kind]]
            measure = f"times the best peer by processor time, {kind}"
            rows.append(row("serve", measure, times, f">= {goal}", best_peer=best))
    return rows


def make_bundle(store: Store) -> bundles.Bundle:
    """The small CNN that the peers serve, too, as the bundle of a run."""
    from lepton_lab.serving.export import export_bundle
    from tests.benchmarks.serving_peers import network

    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (400, 28, 28), dtype=np.uint8)
    spec = from_arrays(pictures, rng.integers(0, 10, 400), store=store, name="bench")
    dataset = load_data(spec, store)
    for number in (1, 2):
        run = {"run_id": f"bench-{number}", "model": "cnn", "metrics": {"number": number}}
        export_bundle(network(), dataset, run, store.run_dir(f"bench-{number}") / "bundle")
    return bundles.load(store.run_dir("bench-1") / "bundle")


def request_bytes(kind: str, key: str) -> bytes:
    """One whole HTTP request with one row: ours as JSON or binary, or a peer's."""
    row_values = np.random.default_rng(1).random(SHAPE, dtype=np.float32)
    path, headers = "/v2/models/bench0/infer", [f"X-API-Key: {key}"]
    tensor: dict[str, Any] = {"name": "input", "datatype": "FP32", "shape": [1, *SHAPE]}
    if kind == "peer":
        path, headers = "/predict", []
        body = json.dumps({"data": row_values.tolist()}).encode()
    elif kind == "json":
        body = json.dumps({"inputs": [{**tensor, "data": row_values.tolist()}]}).encode()
    else:
        raw = row_values.tobytes()
        tensor["parameters"] = {"binary_data_size": len(raw)}
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        headers.append(f"Inference-Header-Content-Length: {len(head)}")
        body = head + raw
    kinds = "application/octet-stream" if kind == "binary" else "application/json"
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kinds}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def load(port: int, request: Path, pid: int) -> dict[str, Any]:
    """Figures of one load by 32 connections; the server's processor time makes them comparable on a busy machine."""
    job = [sys.executable, "-m", "tests.benchmarks.load", "127.0.0.1", str(port), str(request)]
    before = processor_seconds(pid)
    done = subprocess.run(job, capture_output=True, text=True, check=True)
    spent = processor_seconds(pid) - before
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "per_processor_second": round(found["total"] / spent, 1)}


def processor_seconds(pid: int) -> float:
    """Processor time of a process and of all that it has started."""
    root = psutil.Process(pid)
    times = [each.cpu_times() for each in (root, *root.children(recursive=True))]
    return sum(each.user + each.system for each in times)


@contextmanager
def peer(kind: str) -> Iterator[tuple[int, int]]:
    """A peer's server, in a session of its own; its port and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    job = [sys.executable, "-m", "tests.benchmarks.serving_peers", kind, "--port", str(port)]
    process = subprocess.Popen(
        job, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PEER_SECONDS
        body = {"data": np.zeros(SHAPE).tolist()}
        while not _answers(port, body):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"The peer {kind} does not answer.")
            time.sleep(0.2)
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, body: dict[str, Any]) -> bool:
    """Whether a peer is up."""
    try:
        return httpx.post(f"http://127.0.0.1:{port}/predict", json=body, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def bare_rate(bundle: bundles.Bundle) -> tuple[float, float]:
    """Rows a second of the engine alone, one at a time on one thread: by the clock, and by the processor's time."""
    engine = Engine(bundle, threads=1)
    engine.warm_up()
    one = engine.blank(1)
    rates, by_processor = [], []
    for _ in range(ROUNDS):
        start, spent, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < 1.5:
            engine.run(one)
            count += 1
        rates.append(count / (time.perf_counter() - start))
        by_processor.append(count / (time.process_time() - spent))
    return round(_middle(rates), 1), round(_middle(by_processor), 1)


def swaps(store: Store) -> int:
    """Requests that failed while two versions replaced each other again and again."""
    lifecycle.deploy(store, "bench-2", DeploySpec(name="bench0"))
    record = load_record(store, "bench0")
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "swap.http"
        request.write_bytes(request_bytes("binary", lifecycle.owner_key(store, "bench0")))
        job = [sys.executable, "-m", "tests.benchmarks.load", "127.0.0.1", str(record.port), str(request)]
        job += ["--connections", "8", "--warm-seconds", "0", "--seconds", "3600"]
        loader = subprocess.Popen([sys.executable, "-c", _UNTIL_TOLD, *job[3:6]], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)  # fmt: skip
        for number in range(SWAPS):
            lifecycle.rollback(store, "bench0", 1 + number % 2)
        out, _ = loader.communicate("stop\n", timeout=60)
    statuses = json.loads(out.splitlines()[-1])
    if statuses.get("200", 0) < SWAPS:
        raise RuntimeError(f"The load was too light to say anything: {statuses}")
    return sum(count for status, count in statuses.items() if status != "200")


_UNTIL_TOLD = """
import asyncio, json, sys, threading, time
from tests.benchmarks import load
host, port, path = sys.argv[1:4]
async def main():
    tally = load.Tally(0.0, 3600.0)
    def wait():
        sys.stdin.readline()
        tally.end = time.perf_counter()
    threading.Thread(target=wait, daemon=True).start()
    request = open(path, "rb").read()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: load.Connection(request, tally), host, int(port)) for _ in range(8)]
    await asyncio.gather(*(protocol.over for _, protocol in made))
    print(json.dumps({str(k): v for k, v in tally.statuses.items()}))
asyncio.run(main())
"""


def kill(store: Store) -> float:
    """Seconds without an answer after the server's process was killed."""
    record = load_record(store, "bench0")
    process = read_identity(store.endpoint_dir("bench0") / "process.json") or {}
    headers = {"X-API-Key": lifecycle.owner_key(store, "bench0")}
    os.kill(int(process["pid"]), signal.SIGKILL)
    start = time.perf_counter()
    while time.perf_counter() - start < 30:
        try:
            if httpx.get(f"{record.url()}/v2/health/ready", headers=headers, timeout=1).status_code == 200:
                return time.perf_counter() - start
        except httpx.HTTPError:
            time.sleep(0.01)
    raise RuntimeError("The endpoint did not come back.")


def _end_supervisor(store: Store) -> None:
    """Ends the store's supervisor, which has nothing left to do."""
    identity = read_identity(store.supervisor_json) or {}
    if "pid" in identity:
        os.kill(int(identity["pid"]), signal.SIGTERM)


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _median(found: list[dict[str, Any]]) -> float:
    return _middle([each["p99_ms"] for each in found])


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    sys.exit(0 if put(measure(only_speeds="speeds" in sys.argv), Path("bench.json")) else 1)
