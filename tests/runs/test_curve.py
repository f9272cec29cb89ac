"""Curves and the frames that carry them: a viewer that applies every frame has exactly the run's curve."""

from __future__ import annotations

import random
from array import array

import pytest

from lepton_lab.runs.curve import Curve, FrameSender
from lepton_lab.runs.frames import pack_frame, unpack_frame


class Feed:
    """Makes numbered events."""

    def __init__(self, curve):
        self.curve, self.seq = curve, 0

    def __call__(self, event_type, **fields):
        self.seq += 1
        self.curve.apply({"seq": self.seq, "type": event_type, "time": float(self.seq), **fields})

    def metrics(self, *steps, name="train_loss"):
        values = [1000 * self.seq + step for step in steps]
        self("MetricsRecorded", series={name: {"step": list(steps), "value": values}}, step=steps[-1], epoch=0.0)


class Viewer:
    """What the page does with frames."""

    def __init__(self):
        self.series = {}

    def take(self, frame):
        header, buffer = unpack_frame(pack_frame(*frame))
        values = array("d", buffer)
        for part in header["series"]:
            x, y = self.series.setdefault(part["name"], ([], []))
            assert len(x) >= part["start"], "a gap"
            del x[part["start"] :], y[part["start"] :]
            count = part["count"]
            x += values[:count]
            y += values[count : 2 * count]
            del values[: 2 * count]
        assert not values


@pytest.fixture
def feed():
    feed = Feed(Curve("r"))
    feed("RunQueued", run_id="r", name="r", dataset="d", model="m", epochs=3)
    feed("RunStarted", steps_per_epoch=10, steps_total=30, from_step=0)
    return feed


def the_same(viewer, curve):
    return viewer.series == {name: (list(each.x), list(each.y)) for name, each in curve.series.items()}


def test_the_first_frame_holds_everything_and_the_next_what_is_new(feed):
    feed.metrics(1, 2, 3)
    sender, viewer = FrameSender(feed.curve), Viewer()
    header, buffer = first = sender.next()
    viewer.take(first)
    assert header["series"] == [{"name": "train_loss", "start": 0, "count": 3}]
    assert list(array("d", buffer)) == pytest.approx([0.1, 0.2, 0.3, 2001, 2002, 2003])
    assert sender.next() is None
    feed.metrics(4)
    feed("EpochEnded", epoch=1, step=10, val_accuracy=0.5, val_loss=0.7)
    header, buffer = second = sender.next()
    viewer.take(second)
    assert header["series"][0] == {"name": "train_loss", "start": 3, "count": 1}
    assert header["summary"]["val_accuracy"] == 0.5
    assert the_same(viewer, feed.curve)


def test_a_message_is_aligned_for_float64(feed):
    feed.metrics(1)
    for text in ("", "x", "xx", "日本"):
        message = pack_frame({"type": "frame", "text": text}, bytes(16))
        assert (len(message) - 16) % 8 == 0
        assert unpack_frame(message) == ({"type": "frame", "text": text}, bytes(16))


def test_a_restart_drops_what_is_done_again(feed):
    feed.metrics(1, 2, 3, 4, 5, 6)
    feed("LearningRateChanged", step=6, old=0.1, new=0.01, by="cli")
    feed("RunRestarted", attempt=1, from_step=4, reason="worker_died")
    assert list(feed.curve.series["train_loss"].steps) == [1, 2, 3, 4]
    feed("RunStarted", steps_per_epoch=10, from_step=2)  # the checkpoint of step 4 was broken
    feed.metrics(3, 4)
    assert list(feed.curve.series["train_loss"].steps) == [1, 2, 3, 4]
    assert [(mark["kind"], mark["step"]) for mark in feed.curve.marks] == [("restarted", 2)]
    assert feed.curve.summary().restarts == 1


def test_a_viewer_that_has_more_points_than_the_cut_but_fewer_than_now_is_told_to_cut(feed):
    feed.metrics(1, 2, 3, 4, 5)
    sender, viewer = FrameSender(feed.curve), Viewer()
    viewer.take(sender.next())
    feed("RunRestarted", attempt=1, from_step=2, reason="x")
    feed("RunStarted", steps_per_epoch=10, from_step=2)
    feed.metrics(3, 4, 5, 6, 7)
    frame = sender.next()
    assert frame[0]["series"] == [{"name": "train_loss", "start": 2, "count": 5}]
    viewer.take(frame)
    assert the_same(viewer, feed.curve)


def test_since_without_a_seq_is_answered_safely(feed):
    feed.metrics(1, 2, 3, 4)
    feed("RunRestarted", attempt=1, from_step=2, reason="x")
    feed.metrics(3, 4, 5)
    assert feed.curve.frame({"train_loss": 4})[0]["series"][0]["start"] == 2
    assert feed.curve.frame({"train_loss": 4, "seq": feed.seq})[0]["series"][0]["start"] == 4
    assert feed.curve.frame({"train_loss": 99, "seq": feed.seq})[0]["series"][0]["start"] == 5
    assert feed.curve.frame(None)[0]["series"][0]["start"] == 0


@pytest.mark.parametrize("seed", range(20))
def test_any_history_reaches_any_viewer_whole(seed):
    rng = random.Random(seed)
    feed = Feed(Curve("r"))
    feed("RunStarted", steps_per_epoch=10, from_step=0)
    viewers = [(Viewer(), FrameSender(feed.curve)) for _ in range(3)]
    step = 0
    for _ in range(200):
        if rng.random() < 0.08:
            step = rng.randint(0, step)
            feed("RunRestarted", attempt=1, from_step=step, reason="x")
            if rng.random() < 0.5:
                step = rng.randint(0, step)
            feed("RunStarted", steps_per_epoch=10, from_step=step)
        else:
            count = rng.randint(1, 4)
            feed.metrics(*range(step + 1, step + count + 1), name=rng.choice(["train_loss", "train_accuracy"]))
            step += count
        for viewer, sender in viewers:
            if rng.random() < 0.3 and (frame := sender.next()):
                viewer.take(frame)
        if rng.random() < 0.02:
            viewers[0][1].hello()
    for viewer, sender in viewers:
        if frame := sender.next():
            viewer.take(frame)
        assert the_same(viewer, feed.curve)
    for each in feed.curve.series.values():
        assert list(each.steps) == sorted(set(each.steps))


def test_the_same_event_twice_changes_nothing(feed):
    feed.metrics(1, 2)
    before = feed.curve.frame()
    feed.curve.apply(
        {"seq": feed.seq, "type": "MetricsRecorded", "series": {"train_loss": {"step": [3], "value": [1]}}}
    )
    assert feed.curve.frame() == before


def test_sparkline_stays_small(feed):
    for epoch in range(1, 500):
        feed("EpochEnded", epoch=epoch, step=epoch * 10, val_accuracy=epoch / 500, val_loss=0.1)
    line = feed.curve.summary().sparkline
    assert len(line) == 32
    assert line == sorted(line)
    assert (line[0], line[-1]) == (0.002, 0.998)
