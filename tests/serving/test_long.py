"""The long fault tests of a server: 500 slow sockets beside healthy clients, and hours of work in small."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from lepton_lab.runs.endpoints import save_record
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, read_identity
from tests.serving.conftest import make_endpoint

NUM_SLOW, NUM_HEALTHY = 500, 50
CUT_SECONDS = 10.0
SOAK_REQUESTS, SOAK_PARTS = 60_000, 6
ROW = json.dumps({"instances": [[[0.0] * 8] * 8]}).encode()


class Live(NamedTuple):
    port: int
    key: str
    process: psutil.Process


@pytest.fixture
def live(tmp_path: Path, bundle_folder: Path) -> Iterator[Live]:
    """A server with its own deadlines."""
    store = Store(tmp_path / "store").prepare()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    record, key = make_endpoint(store, bundle_folder)
    record.port = port
    save_record(store, record)
    argv = python_command("tests.serving.lone_server", "--store", str(store.root), "--name", "digits")
    child = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 60
    while not (read_identity(store.endpoint_dir("digits") / "process.json") or {}).get("ready"):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    yield Live(port, key, psutil.Process(child.pid))
    child.terminate()
    child.wait(30)


def _p99(live: Live, seconds: float) -> tuple[float, int]:
    """Slowest hundredth of what healthy clients get, and how many answers were no 200."""
    latencies: list[float] = []
    failed: list[int] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{live.port}", headers={"X-API-Key": live.key}, timeout=60
        ) as client:
            while time.monotonic() < end:
                start = time.perf_counter()
                answer = client.post("/predict", content=ROW, headers={"Content-Type": "application/json"})
                latencies.append(time.perf_counter() - start)
                if answer.status_code != 200:
                    failed.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(NUM_HEALTHY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(latencies)[int(0.99 * len(latencies))], len(failed)


def _until_cut(opened: list[tuple[float, socket.socket]]) -> list[float]:
    """Seconds from each connection's beginning to its end by the server; the others, after a minute, are left out.

    Asks epoll for ends alone and for all at once: to read each socket would wait for a turn among 50 busy threads.
    """
    since = {connection.fileno(): begun for begun, connection in opened}
    with select.epoll() as poll:
        for number in since:
            poll.register(number, select.EPOLLRDHUP | select.EPOLLONESHOT)
        lasted: list[float] = []
        while len(lasted) < len(since) and (ended := poll.poll(60)):
            now = time.monotonic()
            lasted += [now - since[number] for number, _ in ended]
    for _, connection in opened:
        connection.close()
    return lasted


@pytest.mark.slow
@pytest.mark.fault
def test_f21_five_hundred_slow_sockets_beside_fifty_healthy_clients(live, figure):
    usual, _ = _p99(live, 6)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {live.key}\r\n"
    starts = {  # silent, a head that never ends, a body that never comes
        "silent": b"",
        "head": head.encode(),
        "body": f"{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode(),
    }
    opened = []
    for number in range(NUM_SLOW):
        connection = socket.create_connection(("127.0.0.1", live.port), timeout=60)
        connection.sendall(list(starts.values())[number % 3])
        opened.append((time.monotonic(), connection))
    found: list[tuple[float, int]] = []
    healthy = threading.Thread(target=lambda: found.append(_p99(live, 12)))
    healthy.start()
    lasted = _until_cut(opened)
    healthy.join()
    [(beside, failed)] = found
    print(
        f"\nF21: cut after at most {max(lasted):.1f} s; p99 {1000 * usual:.0f} ms, beside them {1000 * beside:.0f} ms"
    )
    assert len(lasted) == NUM_SLOW, "every slow socket was cut"
    figure("serve", "F21: failed requests of 50 healthy clients beside 500 slow sockets", [failed], "== 0")
    figure("serve", "F21: seconds until the last slow socket was cut", [max(lasted)], f"<= {CUT_SECONDS:g}")
    figure("serve", "F21: p99 of the healthy clients, times that without slow sockets", [beside / usual], "< 2")


@pytest.mark.slow
@pytest.mark.fault
def test_f24_memory_and_files_stay_level_while_it_serves(live):
    address = f"http://127.0.0.1:{live.port}"
    levels: list[tuple[float, int]] = []
    for _ in range(SOAK_PARTS):
        for number in range(SOAK_REQUESTS // SOAK_PARTS // 1000):
            with httpx.Client(base_url=address, headers={"X-API-Key": live.key}, timeout=60) as client:
                for _ in range(1000):
                    bad = number == 0
                    body = b"{" if bad else ROW
                    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
                    assert answer.status_code == (400 if bad else 200)
        levels.append((live.process.memory_info().rss / 2**20, live.process.num_fds()))
    print(f"\nF24: MiB and open files after each {SOAK_REQUESTS // SOAK_PARTS:,} requests: {levels}")
    settled, last = levels[1], levels[-1]
    assert last[0] < settled[0] + 16, "memory grows with requests"
    assert last[1] <= settled[1] + 4, "files stay open"
