"""An endpoint on a real Ray cluster of three nodes: replicas, nodes, servers die, versions change, nobody notices."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from lepton_lab.errors import LeptonError
from lepton_lab.runs.process import read_identity
from lepton_lab.runs.servers import LEFT_FILE
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving import lifecycle
from lepton_lab.serving.engine import Engine
from lepton_lab.specs import DeploySpec

ray = pytest.importorskip("ray", reason="NO RAY: install lepton-lab[ray]")
pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]
PICTURE = [[0.0] * 8] * 8
SECONDS = 90.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for replicas, and two nodes with room."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=2)
    made.add_node(num_cpus=2)
    yield made
    made.shutdown()


def replicas() -> list[psutil.Process]:
    """The processes that run the network."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[0].startswith("ray::ServeReplica:lepton-digits"):
            found.append(process)
    return sorted(found, key=lambda process: process.pid)


def until(holds: Any) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@contextmanager
def load(url: str, key: str) -> Iterator[Counter[Any]]:
    """Four clients that ask again as soon as they are answered; how they were answered."""
    statuses: Counter[Any] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=60, headers={"X-API-Key": key}) as client:
            while not over.is_set():
                try:
                    statuses[client.post(f"{url}/predict", json={"instances": [PICTURE]}).status_code] += 1
                except httpx.HTTPError as error:
                    statuses[repr(error)] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join()


def more(statuses: Counter[Any], count: int = 50) -> None:
    """Waits for so many further answers."""
    goal = statuses[200] + count
    until(lambda: statuses[200] >= goal)


def test_copies_come_with_the_load_and_stay_within_their_bounds(cluster, supervised, run_of, bundle_folder):
    asked = DeploySpec(name="digits", cluster=cluster.address, replicas=1, max_replicas=2, replica_cpus=0.5)
    summary, key = lifecycle.deploy(supervised, run_of(bundle_folder), asked)
    assert len(until(replicas)) == 1
    with load(summary.url, key) as statuses:
        until(lambda: len(replicas()) == 2)
        more(statuses, 200)
        assert len(replicas()) == 2
    assert set(statuses) == {200}, statuses
    lifecycle.stop_endpoint(supervised, "digits")
    until(lambda: not replicas())


def test_replicas_and_nodes_die_and_versions_change_without_a_failed_request(
    cluster, supervised, run_of, bundle_folder, other_folder
):
    first, second = run_of(bundle_folder), run_of(other_folder)
    asked = DeploySpec(name="digits", cluster=cluster.address, replicas=2, replica_cpus=0.5)
    summary, key = lifecycle.deploy(supervised, first, asked)
    headers = {"X-API-Key": key}
    answer = httpx.post(f"{summary.url}/predict", json={"instances": [PICTURE]}, headers=headers, timeout=60).json()
    bundle = bundles.load(bundle_folder)
    here = Engine(bundle).run((bundle.preparation.from_raw([PICTURE]),))
    assert answer["predictions"][0]["confidence"] == pytest.approx(float(here.max()), abs=1e-5)

    with load(summary.url, key) as statuses:
        more(statuses)
        before = until(lambda: replicas() if len(replicas()) == 2 else None)
        os.kill(before[0].pid, signal.SIGKILL)
        more(statuses)
        until(lambda: len(replicas()) == 2 and before[0] not in replicas())
        changed, _ = lifecycle.deploy(supervised, second, asked)
        assert changed.version == 2 and changed.url == summary.url
        more(statuses)
    assert set(statuses) == {200}, statuses

    usage = until(lambda: counted(supervised, statuses[200] + 1))
    assert usage.requests == statuses[200] + 1

    until(lambda: len(replicas()) == 2)
    cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)
    with load(summary.url, key) as statuses:
        more(statuses)
    assert set(statuses) == {200}, statuses

    kept = until(lambda: replicas() if len(replicas()) == 2 else None)
    server = read_identity(supervised.endpoint_dir("digits") / "process.json")
    os.kill(server["pid"], signal.SIGKILL)
    until(lambda: is_ready(supervised, server["pid"]))
    assert httpx.post(f"{summary.url}/predict", json={"instances": [PICTURE]}, headers=headers, timeout=60).is_success
    assert [process.pid for process in replicas()] == [process.pid for process in kept]

    # A server that dies before it could take its replicas off: somebody else does.
    os.kill(read_identity(supervised.endpoint_dir("digits") / "process.json")["pid"], signal.SIGSTOP)
    lifecycle.stop_endpoint(supervised, "digits")
    until(lambda: not replicas())
    until(lambda: not (supervised.endpoint_dir("digits") / LEFT_FILE).exists())


def counted(store, requests: int):
    usages = [each for name, each in lifecycle.usage_of(store, "digits").items() if name != lifecycle.OWNER]
    return usages[0] if usages[0].requests >= requests else None


def is_ready(store, old_pid: int) -> bool:
    process = read_identity(store.endpoint_dir("digits") / "process.json") or {}
    return bool(process.get("ready")) and process["pid"] != old_pid


def test_a_cluster_that_is_not_there_is_told_in_a_sentence(supervised, run_of, bundle_folder):
    run_id = run_of(bundle_folder)
    with pytest.raises(LeptonError, match=r"No Ray cluster answers at '127.0.0.1:1'"):
        lifecycle.deploy(supervised, run_id, DeploySpec(name="digits", cluster="127.0.0.1:1"))
    assert not lifecycle.list_endpoints(supervised)
