"""The WebSockets: a curve that arrives whole, grows, is rewound, and a board that follows the store."""

from __future__ import annotations

import asyncio
import json
import shutil
from array import array
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

from lepton_lab.runs.control import pending_commands
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.frames import unpack_frame
from lepton_lab.runs.record import create_run

API = ("lepton-lab", "api")
PATIENCE_SECONDS = 10.0


class Viewer:
    """A client that keeps the series as the browser does."""

    def __init__(self, socket) -> None:
        self._socket = socket
        self.series: dict[str, list[float]] = {}
        self.header: dict[str, Any] = {}
        self.num_points_received = 0

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self._socket.read_message(), PATIENCE_SECONDS)
        assert isinstance(message, bytes), message
        self.header, numbers = unpack_frame(message)
        values = array("d", numbers)
        at = 0
        for each in self.header["series"]:
            mine = self.series.setdefault(each["name"], [])
            assert len(mine) >= each["start"], "a gap"
            del mine[each["start"] :]
            mine.extend(values[at + each["count"] : at + 2 * each["count"]])
            at += 2 * each["count"]
            self.num_points_received += each["count"]
        return self.header

    async def until(self, condition) -> None:
        while not condition():
            await self.next()


def record(writer, first: int, last: int) -> None:
    """Appends train_loss for the steps from first to last; the value of a step is the step."""
    steps = list(range(first, last + 1))
    writer.append("MetricsRecorded", series={"train_loss": {"step": steps, "value": steps}}, step=last, epoch=last / 10)


@pytest.fixture
def writer(run):
    with EventLog.open_writer(run.dir) as opened:
        opened.append("RunStarted", steps_per_epoch=10, steps_total=1000, from_step=0)
        yield opened


@pytest.fixture
def viewer(jp_ws_fetch, run):
    async def connect() -> Viewer:
        return Viewer(await jp_ws_fetch(*API, "runs", run.run_id, "ws"))

    return connect


async def test_a_viewer_gets_the_whole_curve_and_then_only_what_is_new(viewer, writer):
    record(writer, 1, 500)
    first = await viewer()
    await first.next()
    assert first.series["train_loss"] == list(range(1, 501))
    received = first.num_points_received
    record(writer, 501, 510)
    await first.until(lambda: len(first.series["train_loss"]) == 510)
    assert first.num_points_received == received + 10
    assert first.header["summary"]["step"] == 510


async def test_after_a_restart_the_curve_has_no_gap_and_no_duplicate(viewer, writer):
    record(writer, 1, 100)
    first = await viewer()
    await first.next()
    writer.append("RunRestarted", attempt=2, from_step=60, reason="worker_died")
    writer.append("RunStarted", steps_per_epoch=10, steps_total=1000, from_step=60)
    record(writer, 61, 120)
    await first.until(lambda: len(first.series["train_loss"]) == 120)
    assert first.series["train_loss"] == list(range(1, 121))
    assert first.header["summary"]["restarts"] == 1


async def test_hello_brings_the_whole_curve_again(viewer, jp_ws_fetch, run, writer):
    record(writer, 1, 50)
    socket = await jp_ws_fetch(*API, "runs", run.run_id, "ws")
    first = Viewer(socket)
    await first.next()
    await socket.write_message('{"type": "hello"}')
    header = await first.next()
    assert [(each["start"], each["count"]) for each in header["series"]] == [(0, 50)]


async def test_ten_viewers_see_the_same(viewer, writer):
    record(writer, 1, 20)
    viewers = [await viewer() for _ in range(10)]
    record(writer, 21, 40)
    for each in viewers:
        await each.until(lambda each=each: len(each.series.get("train_loss", ())) == 40)


async def test_a_silent_run_still_says_that_the_link_is_alive(viewer, writer):
    record(writer, 1, 5)
    first = await viewer()
    await first.next()
    received = first.num_points_received
    await first.next()
    assert first.num_points_received == received


async def test_an_event_of_a_foreign_hand_does_not_end_the_curve(viewer, run, writer):
    record(writer, 1, 5)
    first = await viewer()
    await first.next()
    with open(run.dir / "events.jsonl", "ab") as file:
        file.write(b'{"seq": 4, "type": "MetricsRecorded", "series": 7}\nnoise\n')
        file.write(b'{"seq": 5, "type": "MetricsRecorded", "step": 6, "epoch": 0.6, "series": ')
        file.write(b'{"train_loss": {"step": [6], "value": [6]}}}\n')
    await first.until(lambda: first.series["train_loss"][-1] == 6)


async def test_a_command_over_the_socket(jp_ws_fetch, run, writer):
    socket = await jp_ws_fetch(*API, "runs", run.run_id, "ws")
    await socket.write_message('{"type": "command", "command": "pause"}')
    answer = await _next_text(socket)
    assert answer["type"] == "accepted"
    assert [each["command"] for each in pending_commands(run.dir)] == ["pause"]
    for message in ("noise", "[]", '{"type": "dance"}', '{"type": "command", "command": "dance"}', "[" * 60_000):
        await socket.write_message(message)
        answer = await _next_text(socket)
        assert answer["type"] == "error"
        assert answer["message"]


async def test_the_socket_of_an_unknown_run_is_404(jp_ws_fetch):
    with pytest.raises(HTTPClientError) as caught:
        await jp_ws_fetch(*API, "runs", "nobody", "ws")
    assert caught.value.code == 404


async def test_the_board_follows_the_store(jp_ws_fetch, store, spec, run):
    socket = await jp_ws_fetch(*API, "ws")
    board = await _next_text(socket)
    assert (board["type"], [each["run_id"] for each in board["runs"]]) == ("state", [run.run_id])
    assert board["devices"]["cpu:0"] is None
    second = create_run(store, spec)
    assert (await _change_of(socket, second.run_id))["type"] == "change"
    (store.runs_dir / "torn").mkdir()
    assert [each["run_id"] for each in (await _change_of(socket, "torn"))["runs"]] == ["torn"]
    shutil.rmtree(second.dir)
    while second.run_id not in (await _next_text(socket))["gone"]:
        pass


async def _change_of(socket, run_id: str) -> dict[str, Any]:
    """The first message that tells of a run."""
    while True:
        message = await _next_text(socket)
        if run_id in [each["run_id"] for each in message["runs"]]:
            return message


async def _next_text(socket) -> dict[str, Any]:
    while True:
        message = await asyncio.wait_for(socket.read_message(), PATIENCE_SECONDS)
        assert message is not None, "the server closed the socket"
        if isinstance(message, str):
            return json.loads(message)
