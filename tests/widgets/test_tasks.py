"""What is shown of answers that are no classes: figures by the task's own name, no empty confusion matrix."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.summary import RunSummary
from lepton_lab.session.report import Report
from lepton_lab.session.run import sentence
from lepton_lab.session.waiting import progress_text
from lepton_lab.widgets.picture import curve_svg
from lepton_lab.widgets.reports import report_html

REGRESSION = {
    "task": "regression",
    "metric": "mae",
    "rows": 40,
    "loss": 0.5,
    "mae": 12.345,
    "rmse": 15.5,
    "r2": 0.61,
    "targets": [{"name": "price", "mae": 12.345, "rmse": 15.5, "r2": 0.61}],
    "worst": [{"row": 3, "truth": 100.0, "prediction": 60.5}],
}


def report(values: dict) -> Report:
    return Report("wine-mlp-1", values, SimpleNamespace(name="wine", modality="table"))


def summary(**values: object) -> RunSummary:
    known = {"run_id": "wine-mlp-1", "state": "running", "epochs": 10, "epoch": 2.0, "metric": "mae"}
    return RunSummary(**{**known, "higher_is_better": False, **values})


def test_a_regression_shows_its_errors_and_no_matrix():
    shown = report(REGRESSION)
    html = str(report_html(shown))
    for text in ("test MAE", "12.35", "RMSE", "15.50", "0.6100", "Rows that are furthest off", "60.50"):
        assert text in html
    assert "accuracy" not in html and shown.confusion == [] and shown.classes == []
    assert "test MAE 12.35" in str(shown)


def test_a_figure_of_another_task_is_refused_in_words():
    with pytest.raises(RunError, match="no accuracy: regression is judged by mae"):
        _ = report(REGRESSION).accuracy


def test_names_from_data_are_escaped_in_tables():
    targets = [{"name": f"<img src=x onerror=alert({i})>", "mae": 1.0} for i in range(2)]
    html = str(report_html(report({**REGRESSION, "targets": targets})))
    assert "<img src=x" not in html and "&lt;img src=x" in html


def test_a_run_is_told_by_what_its_task_is_judged_by():
    running = summary(train_metric=14.2, val_metric=15.25)
    assert "MAE: training 14.20  validation 15.25" in progress_text(running)
    assert "validation MAE 15.25" in sentence(running)
    assert "test MAE 13.10" in sentence(summary(state="finished", test_metric=13.1))


def test_the_picture_holds_values_above_one():
    curve = Curve("wine-mlp-1")
    for event in (
        {"seq": 1, "type": "RunQueued", "run_id": "wine-mlp-1", "epochs": 2},
        {"seq": 2, "type": "RunStarted", "metric": "mae", "higher_is_better": False, "steps_per_epoch": 5},
        {"seq": 3, "type": "EpochEnded", "epoch": 1, "step": 5, "val_mae": 250.0, "val_loss": 1.0},
        {"seq": 4, "type": "EpochEnded", "epoch": 2, "step": 10, "val_mae": 150.0, "val_loss": 0.9},
    ):
        curve.apply(event)
    svg = curve_svg(curve, summary())
    assert "MAE" in svg and "150.0" in svg and "no points yet" not in svg
