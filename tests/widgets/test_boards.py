"""The dashboards' widgets: what they show, and that whoever looks can change nothing."""

from __future__ import annotations

import json

import pytest

from lepton_lab.runs import Store
from lepton_lab.session import Host, Session
from lepton_lab.widgets.model_card import ModelCard
from lepton_lab.widgets.monitor import RunMonitor

PAGE = "export default { render() {} }"


@pytest.fixture
def monitor(trained):
    widget = RunMonitor(trained.store, module=PAGE)
    widget.said = []
    widget.send = lambda content, buffers=None: widget.said.append(content)
    yield widget
    widget.close()


def test_a_monitor_shows_the_newest_run_and_the_choice(monitor, trained):
    assert monitor.run_id == trained.session.runs()[0].id == monitor.summary["run_id"]
    assert trained.run.id in [run["run_id"] for run in monitor.runs]


@pytest.mark.parametrize("command", ["stop", "pause", "resume", "set_learning_rate", "checkpoint"])
def test_a_monitor_takes_no_command(monitor, trained, command):
    before = [event["seq"] for event in trained.run.record.events()]
    monitor._handle_custom_msg({"type": "command", "command": command, "value": 0.1}, [])
    assert "only shows runs" in monitor.said[-1]["message"]
    assert [event["seq"] for event in trained.run.record.events()] == before
    assert not list((trained.run.record.dir / "control").glob("*.json"))


def test_a_monitor_goes_to_no_run_that_it_does_not_offer(monitor, trained):
    shown = monitor.run_id
    for name in ("../..", "nothing", "", "None"):
        monitor._handle_custom_msg({"type": "choose", "run_id": name}, [])
        assert monitor.run_id == shown
    with pytest.raises(Exception, match="read"):
        monitor.read_only = False


def test_a_model_card_only_asks(trained, monkeypatch):
    session = Session(trained.store, Host(), who="card")
    endpoint = session.run(trained.run.id).deploy(name="card")
    widget = ModelCard(session, "card", module=PAGE)
    try:
        widget._jobs.submit(lambda: None).result(timeout=60)
        assert widget.error is None and widget.endpoint["name"] == "card" and widget.card["title"]
        assert widget.endpoint["key_shown_once"] is None and widget.locked
        for kind in ("stop_endpoint", "deploy", "train", "compress", "load_data", "set", "command", "upload"):
            widget._handle_custom_msg(json.loads(json.dumps({"type": kind, "section": "deploy", "values": {}})), [])
        widget._handle_custom_msg({"type": "predict", "row": 0}, [])
        widget._jobs.submit(lambda: None).result(timeout=60)
        assert session.endpoint("card").state == "ready" and widget.prediction["row"] == 0
    finally:
        widget.close()
        endpoint.stop()


def test_a_model_card_without_an_endpoint_says_so_in_the_pages_language(tmp_path):
    widget = ModelCard(Session(Store(tmp_path), Host(), who="card"), module=PAGE)
    try:
        widget._jobs.submit(lambda: None).result(timeout=60)
        assert widget.error["message"].startswith("There is no endpoint yet")
        widget._handle_custom_msg({"type": "language", "language": "zh-CN"}, [])
        widget._jobs.submit(lambda: None).result(timeout=60)
        assert widget.error["message"].startswith("还没有端点")
    finally:
        widget.close()
