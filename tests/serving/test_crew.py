"""Several processes answer for one endpoint: keys, rates, usage, figures and versions are those of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.endpoints import edit_record, load_record
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, read_identity
from lepton_lab.serving import accounts, lifecycle
from lepton_lab.serving.crew import auto_processes
from lepton_lab.serving.keys import make_key
from lepton_lab.serving.rates import Rates
from lepton_lab.serving.usage import read_usage
from lepton_lab.specs import DeploySpec

SECONDS = 60.0
ROW = {"instances": [[[0.0] * 8] * 8]}


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture
def start() -> Iterator[Callable[[Store], None]]:
    """Starts the server that a record wants, without a supervisor."""
    children: list[subprocess.Popen[bytes]] = []

    def start(store: Store) -> None:
        if children and children[-1].poll() is None:
            return
        argv = python_command("tests.serving.lone_server", "--store", str(store.root), "--name", "digits")
        children.append(subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}))

    yield start
    for child in children:
        child.terminate()
        child.wait(SECONDS)


def helpers(store: Store) -> list[psutil.Process]:
    leader = read_identity(store.endpoint_dir("digits") / "process.json") or {}
    return psutil.Process(int(leader["pid"])).children()


def answering(store: Store) -> set[int]:
    """Numbers of the helpers that have said which version they answer with."""
    folder = store.endpoint_dir("digits") / "crew"
    alive = {process.pid for process in helpers(store)}
    return {int(path.stem) for path in folder.glob("*.json") if (read_identity(path) or {}).get("pid") in alive}


def test_two_processes_answer_as_one(store, bundle_folder, other_folder, run_of, start):
    spec = DeploySpec(name="digits", processes=2)
    summary, key = lifecycle.deploy(store, run_of(bundle_folder), spec, start=start)
    until(lambda: len(answering(store)) == 1)
    headers = {"X-API-Key": key}

    def ask(path: str = "/predict") -> httpx.Response:
        """On a connection of its own, which any process may take."""
        return httpx.post(summary.url + path, json=ROW, headers=headers, timeout=SECONDS)

    answers = [ask() for _ in range(40)]
    assert {answer.status_code for answer in answers} == {200}

    def figures() -> list[str]:
        text = httpx.get(summary.url + "/metrics", headers=headers, timeout=SECONDS).text
        return [line for line in text.splitlines() if line.startswith('lepton_requests_total{route="/predict"')]

    until(lambda: figures() == ['lepton_requests_total{route="/predict",status="200"} 40'])
    path = store.endpoint_dir("digits") / "usage.jsonl"
    until(lambda: sum(usage.rows for usage in read_usage(path).values()) == 40)
    stats = store.endpoint_dir("digits") / "stats.json"
    until(lambda: (read_identity(stats) or {}).get("drift") == {"rows": 40, "warning": None})
    assert read_json(stats)["requests"] >= 40 and read_json(stats)["p95_ms"] > 0

    lifecycle.deploy(store, run_of(other_folder), spec, start=start)
    assert {ask().json()["version"] for _ in range(20)} == {2}, "the deploy waits for every process"

    limited, limited_key = accounts.new_key(store, "digits", requests_per_minute=5)
    headers["X-API-Key"] = limited_key
    time.sleep(0.01)
    assert sorted(ask().status_code for _ in range(8)) == [200] * 5 + [429] * 3
    accounts.revoke_key(store, "digits", limited.id)
    time.sleep(0.01)
    assert {ask().status_code for _ in range(10)} == {401}

    headers["X-API-Key"] = key
    [helper] = helpers(store)
    helper.kill()
    assert ask().status_code == 200
    until(lambda: [each.pid for each in helpers(store)] not in ([], [helper.pid]))

    orphans = helpers(store)
    leader = read_identity(store.endpoint_dir("digits") / "process.json") or {}
    os.kill(int(leader["pid"]), signal.SIGKILL)
    psutil.wait_procs(orphans, timeout=SECONDS)
    assert not any(process.is_running() for process in orphans), "helpers leave with their leader"
    start(store)
    until(lambda: (read_identity(store.endpoint_dir("digits") / "process.json") or {}).get("pid") != leader["pid"])
    with edit_record(store, "digits") as record:
        record.desired = "stopped"
    assert load_record(store, "digits").processes == 2


def test_one_process_for_every_two_cores():
    assert [auto_processes(1, cores) for cores in (1, 2, 4, 6, 64)] == [1, 2, 2, 3, 8]
    assert [auto_processes(4, cores) for cores in (1, 2, 4, 8, 64)] == [1, 1, 1, 2, 8]


def test_a_rate_is_shared_through_its_file(tmp_path: Path):
    key, _ = make_key(requests_per_minute=3)
    one, other = Rates(tmp_path / "rates.bin"), Rates(tmp_path / "rates.bin")
    waits = [rates.wait_seconds(key, 100.0) for rates in (one, other, one, other)]
    assert waits[:3] == [0.0] * 3 and waits[3] == pytest.approx(20)
    assert one.wait_seconds(key, 121.0) == 0
    assert other.wait_seconds(key, 1.0) == 0, "a machine that was started anew"
