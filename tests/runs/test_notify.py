"""Notification at a run's end: by the user's own configuration, once, and never by anything that a request can set."""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lepton_lab.errors import SpecError
from lepton_lab.runs import EventLog, create_run
from lepton_lab.runs.config import Notify, config_path, read_config
from lepton_lab.runs.notify import notify
from tests.runs.runs_lab import wait_until

WRITE_DOWN = """
import json, os, sys
with open(sys.argv[1], "a") as file:
    print(os.environ["LEPTON_RUN_STATE"], json.load(sys.stdin)["run_id"], file=file)
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("LEPTON_CONFIG", str(path))

    def write(text):
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


@pytest.fixture
def ended(store, spec):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarting")
        writer.append("RunFinished", step=1, epoch=1.0)
    return run


def test_a_command_is_run_once_with_the_runs_summary(ended, tmp_path):
    told = tmp_path / "told.txt"
    config = Notify(command=(sys.executable, "-c", WRITE_DOWN, str(told)))
    assert notify(ended, config)
    assert not notify(ended, config)
    assert told.read_text() == f"finished {ended.run_id}\n"


def test_only_the_states_that_were_asked_for(ended, tmp_path):
    assert not notify(ended, Notify(on=("failed",), command=("true",)))
    assert not notify(ended, Notify())


def test_a_command_that_does_not_exist_or_fails_is_said_and_no_more(ended, capsys):
    assert notify(ended, Notify(command=("no-such-program-anywhere",)))
    assert "no-such-program-anywhere could not be run" in capsys.readouterr().err


class Hook(BaseHTTPRequestHandler):
    received: list = []
    answer = 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, json.loads(body)))
        self.send_response(self.answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hook():
    handler = type("OneHook", (Hook,), {"received": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/hook?key=secret"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_the_summary_and_sends_nobody_elsewhere(ended, hook, capsys):
    handler, address = hook
    handler.answer = 302
    assert notify(ended, Notify(webhook=address))
    assert [path for path, _ in handler.received] == ["/hook?key=secret"]
    assert handler.received[0][1]["state"] == "finished"
    said = capsys.readouterr().err
    assert "127.0.0.1 did not take it" in said and "secret" not in said


def test_no_file_is_no_wish(config):
    assert read_config() == Notify()


def test_the_file_is_read_from_where_the_user_keeps_it(tmp_path):
    assert config_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "lepton" / "config.toml"


def test_a_file_that_others_may_write_is_refused(config):
    path = config('[notify]\ncommand = ["true"]\n')
    assert read_config().command == ("true",)
    path.chmod(0o666)
    with pytest.raises(SpecError, match="chmod it to 600"):
        read_config()


@pytest.mark.parametrize(
    "text",
    ["[notify", '[notify]\ncommand = "rm -rf /"', '[notify]\nwebhook = "file:///etc/passwd"', "[notify]\non = ['won']"],
)
def test_what_cannot_be_is_said(config, text):
    config(text)
    with pytest.raises(SpecError):
        read_config()


def test_the_supervisor_has_the_user_told_when_a_run_ends(lab, config, tmp_path):
    told = tmp_path / "told.txt"
    command = json.dumps([sys.executable, "-c", WRITE_DOWN, str(told)])
    config(f"[notify]\non = ['finished', 'failed']\ncommand = {command}\n")
    good, bad = lab.submit(epochs=1), lab.submit(epochs=1, max_restarts=0, die_at=3)
    lab.wait(good, "finished")
    lab.wait(bad, "failed")
    wait_until(lambda: told.exists() and len(told.read_text().splitlines()) == 2, "two notifications")
    assert set(told.read_text().splitlines()) == {f"finished {good.run_id}", f"failed {bad.run_id}"}
    assert os.environ["LEPTON_CONFIG"] not in (good.dir / "events.jsonl").read_text()
