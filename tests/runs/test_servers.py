"""The supervisor keeps endpoint servers as their records want them."""

from __future__ import annotations

import os
import signal
import time

import pytest

from lepton_lab.runs import ensure_supervisor
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.process import alive, read_identity
from tests.runs.runs_lab import wait_until


@pytest.fixture
def endpoint(lab):
    folder = lab.store.endpoint_dir("digits")
    folder.mkdir()
    write_json(folder / "record.json", {"name": "digits", "desired": "running"})
    ensure_supervisor(lab.store)
    return folder


def living(folder):
    process = read_identity(folder / "process.json")
    return process if alive(process) else None


def test_a_killed_server_is_back_within_a_second_and_a_stopped_one_stays_away(lab, endpoint):
    first = wait_until(lambda: living(endpoint), "a server")
    os.kill(first["pid"], signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: not alive(first), "its death")
    second = wait_until(lambda: living(endpoint), "another server")
    assert time.monotonic() - began < 1.5
    write_json(endpoint / "record.json", {"name": "digits", "desired": "stopped"})
    ensure_supervisor(lab.store)
    wait_until(lambda: not alive(second), "the server's end")
    assert (endpoint / "starts.txt").read_text().count("start") == 2


def test_a_server_outlives_the_supervisor_and_is_adopted(lab, endpoint):
    first = wait_until(lambda: living(endpoint), "a server")
    for _ in range(3):
        lab.kill_supervisor()
        ensure_supervisor(lab.store)
        lab.wait_supervisor()
    assert living(endpoint) == first
    os.kill(first["pid"], signal.SIGKILL)
    wait_until(lambda: (endpoint / "starts.txt").read_text().count("start") == 2, "a second start")


def test_a_server_that_dies_at_once_is_not_started_in_a_loop(lab, endpoint, monkeypatch):
    first = wait_until(lambda: living(endpoint), "a server")
    deaths = 0
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        process = living(endpoint)
        if process:
            os.kill(process["pid"], signal.SIGKILL)
            deaths += 1
            wait_until(lambda process=process: not alive(process), "its death")
    assert first and 2 <= deaths <= 6
