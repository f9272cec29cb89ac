"""The live curve's kernel side: whole frames on hello, deltas after, nothing for whoever is not there."""

from __future__ import annotations

import json
import queue
import struct

import pytest

from lepton_lab.errors import LeptonError
from lepton_lab.runs import EventLog, RunRecord, Store, create_run
from lepton_lab.session import Host, Run, Session
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from lepton_lab.widgets.curve import CurveWidget, perform, sample_picture
from lepton_lab.widgets.frames import FULL_RATE_SECONDS, FramePusher, pause_between
from lepton_lab.widgets.static_files import NotBuilt, module_source

PAGE = "export default { render() {} }"


class Page:
    """What a page keeps: the points of each series, put together from frames."""

    def __init__(self) -> None:
        self.frames: queue.Queue[tuple[dict, list[bytes]]] = queue.Queue()
        self.points: dict[str, list[tuple[float, float]]] = {}

    def send(self, header: dict, buffers: list[bytes]) -> None:
        self.frames.put((json.loads(json.dumps(header)), buffers))

    def take(self, seconds: float = 5.0) -> dict:
        header, (buffer,) = self.frames.get(timeout=seconds)
        offset = 0
        for series in header["series"]:
            count = series["count"]
            numbers = struct.unpack_from(f"<{2 * count}d", buffer, offset)
            offset += 16 * count
            kept = self.points.setdefault(series["name"], [])
            assert len(kept) >= series["start"], "a gap"
            del kept[series["start"] :]
            kept.extend(zip(numbers[:count], numbers[count:], strict=True))
        assert offset == len(buffer)
        return header

    def take_until(self, condition) -> dict:
        while True:
            header = self.take()
            if condition(header):
                return header


@pytest.fixture
def run(tmp_path) -> Run:
    store = Store(tmp_path)
    spec = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec(epochs=2))
    return Run(create_run(store, spec), Session(store, Host()))


def record(run: Run, *events: tuple[str, dict]) -> None:
    with EventLog.open_writer(run.record.dir) as writer:
        for kind, fields in events:
            writer.append(kind, **fields)


STARTED = ("RunStarted", {"device": "cpu", "steps_per_epoch": 10, "steps_total": 20, "from_step": 0})


def metrics(first: int, count: int) -> tuple[str, dict]:
    steps = list(range(first, first + count))
    series = {"train_accuracy": {"step": steps, "value": [0.1] * count}}
    return "MetricsRecorded", {"series": series, "step": steps[-1], "epoch": steps[-1] / 10}


def test_hello_brings_everything_and_then_only_what_is_new(run):
    page = Page()
    pusher = FramePusher(run, page.send)
    try:
        record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED, metrics(1, 5))
        pusher.hello()
        first = page.take_until(lambda header: header["series"])
        assert first["series"] == [{"name": "train_accuracy", "start": 0, "count": 5}]
        record(run, metrics(6, 3))
        second = page.take_until(lambda header: header["series"][0]["start"] == 5)
        assert second["series"] == [{"name": "train_accuracy", "start": 5, "count": 3}]
        assert [round(x * 10) for x, _ in page.points["train_accuracy"]] == list(range(1, 9))
        pusher.hello()
        again = page.take_until(lambda header: header["series"][0]["start"] == 0)
        assert again["series"][0]["count"] == 8
    finally:
        pusher.close()


def test_a_run_that_has_ended_is_said_once_and_again_on_hello(run):
    page = Page()
    pusher = FramePusher(run, page.send)
    record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED, metrics(1, 20),
           ("RunFinished", {"step": 20, "epoch": 2, "best_val_accuracy": 0.9, "seconds": 1.0}))  # fmt: skip
    for _ in range(2):
        pusher.hello()
        assert page.take()["summary"]["state"] == "finished"
        pusher._thread and pusher._thread.join(5)
        assert page.frames.empty()


def test_a_stopped_run_that_is_resumed_elsewhere_moves_again(run):
    page = Page()
    pusher = FramePusher(run, page.send)
    try:
        record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED, metrics(1, 5))
        record(run, ("RunStopped", {"step": 5, "epoch": 0.5}))
        pusher.hello()
        assert page.take()["summary"]["state"] == "stopped"
        record(run, ("RunQueued", {"run_id": run.id, "resumed": True, "by": "panel"}))
        assert page.take()["summary"]["state"] == "queued"
    finally:
        pusher.close()


def test_watched_rows_travel_when_they_change(run):
    page = Page()
    pusher = FramePusher(run, page.send, picture=lambda row: f"data:image/png;base64,{row}")
    try:
        sample = {"row": 7, "truth": "a", "prediction": "b", "confidence": 0.5}
        record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED,
               ("SamplesPredicted", {"samples": [sample]}))  # fmt: skip
        pusher.hello()
        header = page.take_until(lambda header: "samples" in header)
        assert header["samples"] == [{**sample, "picture": "data:image/png;base64,7"}]
        record(run, metrics(1, 2))
        assert "samples" not in page.take()
    finally:
        pusher.close()


def test_who_is_silent_gets_less():
    assert pause_between(5) == FULL_RATE_SECONDS
    assert FULL_RATE_SECONDS < pause_between(120) < pause_between(1200)
    eight_hours = 60 / pause_between(0) + 540 / pause_between(120) + 8 * 3600 / pause_between(1200)
    assert eight_hours * 1000 < 6_000_000, "bytes that a closed page may cost the server"


def test_the_widget_takes_messages_of_a_page_and_nothing_else(run):
    page, errors = Page(), []
    widget = CurveWidget(run, module=PAGE)
    widget.send = lambda content, buffers=None: (
        page.send(content, buffers) if content["type"] == "frame" else errors.append(content)
    )
    widget._pusher._send = widget.send
    try:
        record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED, metrics(1, 2))
        widget._handle_custom_msg({"type": "hello"}, [])
        assert page.take()["run_id"] == run.id
        widget._handle_custom_msg({"type": "command", "command": "delete_everything"}, [])
        widget._handle_custom_msg("nonsense", [])
        widget._handle_custom_msg({"type": "command", "command": "set_learning_rate", "value": "fast"}, [])
        assert [said["type"] for said in errors] == ["error", "error"]
        assert "delete_everything" in errors[0]["message"] and "learning_rate" in errors[1]["message"]
    finally:
        widget.close()


def test_commands_of_a_page_reach_the_record(run):
    from lepton_lab.runs.control import pending_commands

    record(run, ("RunStarting", {"pid": 1, "attempt": 1, "warm": True}), STARTED)
    perform(run, "pause", None)
    perform(run, "set_learning_rate", 0.01)
    perform(run, "stop", {"hard": False})
    commands = [(each["command"], each.get("value")) for each in pending_commands(run.record.dir)]
    assert commands == [("pause", None), ("set_learning_rate", 0.01), ("stop", {"hard": False})]


def test_a_missing_build_is_said_with_its_cure():
    with pytest.raises(NotBuilt, match="make setup") as caught:
        module_source("nothing")
    assert isinstance(caught.value, LeptonError)


def test_pictures_of_watched_rows_come_from_the_data(trained):
    assert sample_picture(trained.run, 0).startswith("data:image/png;base64,")
    assert sample_picture(trained.run, 10**6) is None


def test_a_viewer_of_the_record_sees_the_same_run(trained):
    assert RunRecord(trained.store, trained.run.id).summary().to_dict() == trained.run.to_dict()
