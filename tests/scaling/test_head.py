"""The head of a Ray cluster dies while a run trains and an endpoint serves on it, and is started again."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lepton_lab.runs import Store
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.events import read_events
from lepton_lab.session import Host, Session
from tests.processes import end_processes_of
from tests.scaling.heads import WITH_US, Head
from tests.training.training_lab import curve_of
from tests.waiting import wait_until

pytest.importorskip("ray", reason="NO RAY: install lepton-lab[ray]")
pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
SECONDS = 180
OPTIONS = {"seed": 3, "batch_size": 50, "threads": 1}
PICTURE = [[0.0] * 8] * 8


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ll", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Head(Path(folder) / "ray", port, 3)
        made.start()
        yield made
        made.kill()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    store = Store(tmp_path / "store").prepare()
    yield Session(store, Host())
    end_processes_of(store.root)


def answer(url: str, key: str) -> bool:
    try:
        said = httpx.post(f"{url}/predict", json={"instances": [PICTURE]}, headers={"X-API-Key": key}, timeout=60)
    except httpx.HTTPError:
        return False
    return said.is_success


def test_a_run_and_an_endpoint_go_on_when_the_head_is_back(session, head):
    model = session.select_model("cnn", session.load_data("digits"), channels=8, stages=2)
    first = model.train(wait=True, epochs=1, **OPTIONS)
    endpoint = first.deploy(name="digits", cluster=head.address, replica_cpus=0.5)
    url, key = endpoint.url, endpoint.key
    assert answer(url, key)
    run: Any = model.train(
        wait=False, epochs=150, cluster=head.address, workers=2, checkpoint_every_seconds=0.5, **OPTIONS
    )
    folder = Path(run.record.dir)
    wait_until(lambda: newest_step(folder) > 0, "a checkpoint", SECONDS)

    head.kill()
    wait_until(lambda: run.summary.message, "the run to say that it waits", SECONDS)
    assert "waits for the cluster" in run.summary.message and run.state == "starting"
    saved = newest_step(folder)
    head.start()
    wait_until(lambda: newest_step(folder) > saved, "steps on the new head", SECONDS)
    wait_until(lambda: answer(url, key), "the endpoint to answer", SECONDS)
    run.stop()
    run.wait(SECONDS)

    assert run.state == "stopped", run.summary
    (again,) = [event for event in read_events(folder) if event["type"] == "RunRestarted"]
    assert again["from_step"] == saved > 0  # what is repeated is what came after the last checkpoint
    places = curve_of(folder)["train_loss"][0]
    assert places == sorted(set(places))
    endpoint.stop()


BEGINS = """
import sys
from pathlib import Path
from tests.scaling.heads import Head

head = Head(Path(sys.argv[1]), int(sys.argv[2]), 1)
head.start()
print("there", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not WITH_US, reason="NO SETPRIV: nothing ends a process with the one that has started it")
def test_no_process_of_a_cluster_outlives_who_has_started_it():
    with tempfile.TemporaryDirectory(prefix="ll", dir="/tmp", ignore_cleanup_errors=True) as folder:
        begun = [sys.executable, "-c", BEGINS, f"{folder}/ray", str(free_port())]
        with subprocess.Popen(begun, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None and owner.stdout.readline() == "there\n"
            assert marked(folder)
            owner.kill()
        wait_until(lambda: not marked(folder), "the end of all its processes", SECONDS)


def marked(folder: str) -> list[str]:
    """The living processes with a folder in their command line."""
    found = [each.info for each in psutil.process_iter(["cmdline", "status"])]
    lines = [" ".join(each["cmdline"] or []) for each in found if each["status"] != psutil.STATUS_ZOMBIE]
    return [line for line in lines if folder in line]
