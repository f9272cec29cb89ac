"""Commands that come while the test rows are judged, after the last step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lepton_lab import worker
from lepton_lab.evaluation import report
from lepton_lab.runs.control import pending_commands, send_command
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from tests.training.test_worker import CNN, announce, of, pictures, start


@pytest.fixture
def store(tmp_path: Path, ended_after: Callable[[Path], Path]) -> Store:
    return Store(ended_after(tmp_path / "store")).prepare()


@pytest.fixture
def as_judging_begins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has commands sent when the network is about to read the test rows."""

    def arrange(run_dir: Path, *commands: tuple[str, Any]) -> None:
        place = report.place

        def send_first(*arguments: Any, **options: Any) -> Any:
            for command, value in commands:
                send_command(run_dir, command, value, by="a test")
            monkeypatch.setattr(report, "place", place)
            return place(*arguments, **options)

        monkeypatch.setattr(report, "place", send_first)

    return arrange


def test_a_stop_ends_the_run_before_its_report_and_going_on_judges_it(
    store: Store, as_judging_begins: Callable[..., None]
) -> None:
    record = start(store, pictures(store), CNN, batch_size=16)
    as_judging_begins(record.dir, ("stop", None))
    assert worker.work(store, record.run_id) == 0
    assert record.summary().state == "stopped"
    assert of(record, "RunStopped")[-1]["by"] == "a test"
    assert record.report() is None and not pending_commands(record.dir)
    steps = record.summary().step

    with EventLog.open_writer(record.dir) as events:
        events.append("RunQueued", run_id=record.run_id, resumed=True)
    announce(record)
    assert worker.work(store, record.run_id) == 0
    assert record.summary().state == "finished"
    assert record.report() is not None and record.summary().step == steps


def test_a_pause_holds_the_judging_until_the_run_goes_on_and_a_late_rate_is_told(
    store: Store, as_judging_begins: Callable[..., None]
) -> None:
    record = start(store, pictures(store), CNN, batch_size=16)
    as_judging_begins(record.dir, ("pause", None), ("set_learning_rate", 0.5), ("resume", None))
    assert worker.work(store, record.run_id) == 0
    words = [event["type"] for event in record.events()]
    assert words.index("RunPaused") < words.index("RunResumed") < words.index("ReportWritten")
    assert "came after the last step" in of(record, "WarningRaised")[-1]["message"]
    assert not of(record, "LearningRateChanged")
    assert record.summary().state == "finished"
