"""The way it is in use: the supervisor starts the server, brings a killed one back, and ends a stopped one."""

from __future__ import annotations

import os
import signal
import threading
import time

import httpx
import pytest

from lepton_lab.runs.process import alive, read_identity
from lepton_lab.serving import lifecycle
from lepton_lab.serving.client import Client
from lepton_lab.specs import DeploySpec

PICTURE = [[0.0] * 8] * 8


def test_a_killed_server_is_back_soon_and_a_stopped_one_stays_away(supervised, run_of, bundle_folder):
    run_id = run_of(bundle_folder)
    summary, key = lifecycle.deploy(supervised, run_id, DeploySpec(name="digits"))
    first = read_identity(supervised.endpoint_dir("digits") / "process.json")
    assert first
    os.kill(first["pid"], signal.SIGKILL)
    killed = time.monotonic()
    with Client(summary.url, key or "") as client:
        assert client.predict([PICTURE])
    assert time.monotonic() - killed < 8, "1 s on an idle machine"
    second = read_identity(supervised.endpoint_dir("digits") / "process.json")
    assert second and second["pid"] != first["pid"]
    assert lifecycle.stop_endpoint(supervised, "digits").state == "stopped" and not alive(second)
    with pytest.raises(httpx.TransportError):
        httpx.get(summary.url)
    again, none = lifecycle.deploy(supervised, run_id, DeploySpec(name="digits"))
    assert (again.url, again.version, none) == (summary.url, 1, None)


def test_a_killed_supervisor_is_started_again_by_the_server_and_adopts_it(supervised, run_of, bundle_folder):
    lifecycle.deploy(supervised, run_of(bundle_folder), DeploySpec(name="digits"))
    server = read_identity(supervised.endpoint_dir("digits") / "process.json")
    before = read_identity(supervised.supervisor_json)
    assert before and server
    os.kill(before["pid"], signal.SIGKILL)
    deadline, now = time.monotonic() + 15, None
    while time.monotonic() < deadline and not (now and now["pid"] != before["pid"] and alive(now)):
        now = read_identity(supervised.supervisor_json)
        threading.Event().wait(0.02)
    assert now and now["pid"] != before["pid"] and alive(now)
    assert alive(server) and read_identity(supervised.endpoint_dir("digits") / "process.json")["pid"] == server["pid"]
