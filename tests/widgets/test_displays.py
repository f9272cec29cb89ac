"""The still displays: they say what matters, escape what is data, and need no kernel."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as xml
from dataclasses import replace
from types import SimpleNamespace

import plotly.graph_objects as go
import pytest
from PIL import Image

from lepton_lab.runs import Curve, RunSummary, Store
from lepton_lab.session import Endpoint, EndpointList, Prediction, Report
from lepton_lab.widgets import cards, display, lists, reports, runs
from lepton_lab.widgets.data_card import data_card
from lepton_lab.widgets.drawn import picture_of
from lepton_lab.widgets.html import Markup, esc, tag
from lepton_lab.widgets.picture import curve_svg, spark_svg

EVIL = '<img src=x onerror=alert(1)>"&'


def evil_report(report: Report) -> Report:
    values = {
        **report.values,
        "classes": [{**c, "name": f"{EVIL}{i}"} for i, c in enumerate(report.classes)],
        "mistakes": [{"row": 0, "truth": EVIL, "prediction": EVIL, "confidence": 0.9}],
    }
    return Report("digits-cnn-1", values, report.dataset)


@pytest.fixture
def report(trained) -> Report:
    return trained.run.evaluate()


def test_markup_is_only_what_this_room_wrote():
    assert esc(EVIL) == "&lt;img src=x onerror=alert(1)&gt;&quot;&amp;"
    assert tag("td", EVIL, title=EVIL).count("<") == 2
    assert tag("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"


def test_the_data_card_shows_counts_samples_and_classes(trained):
    card = data_card(trained.run.dataset)
    assert "1,294" in card and card.count("<figure") == 12 and "CC BY 4.0" in card
    assert card.count('class="lepton-class"') == 10


def card_of(**values) -> str:
    """The HTML of a card with some values of its own."""
    rows = {"train": 2, "validation": 0, "test": 0}
    kept = {"title": EVIL, "task": "regression", "modality": "table", "rows": rows, "input_shape": [3], "warnings": []}
    empty = {"samples": [], "classes": [], "targets": [], "columns": [], "missing_values": 0, "details": {}}
    shown = SimpleNamespace(to_dict=lambda: {**empty, **kept, "task_reason": EVIL, **values})
    return str(data_card(SimpleNamespace(name=EVIL, card=shown)))


def test_a_card_shows_sentences_targets_and_roles_and_escapes_all_of_them():
    spread = {"least": -1.0, "mean": 0.5, "greatest": 7.25, "std": 2.0, "histogram": [1, 2, 3]}
    column = {"name": EVIL, "role": "ignored", "missing": 3, "reason": EVIL}
    cards_ = [
        card_of(samples=[{"label": EVIL, "text": EVIL + "long " * 100}] * 12, classes=[{"name": EVIL, "rows": 2}]),
        card_of(samples=[{"label": EVIL, "values": {EVIL: EVIL, "b": None}}] * 12, targets=[{"name": EVIL, **spread}]),
        card_of(columns=[column], warnings=[{"message": EVIL, "severity": "error"}], details={EVIL: EVIL}),
        card_of(samples=[{"label": EVIL, "image": EVIL, "audio": EVIL, "series": [1.0, 2.0]}]),
    ]
    assert not [html for html in cards_ if "<img src=x" in html or "&lt;img src=x" not in html]
    assert cards_[0].count("<li") == 12 and "long …" in cards_[0]
    assert cards_[1].count("<tr") == 15 and "7.25" in cards_[1] and "missing" in cards_[1] and "<svg" in cards_[1]
    assert "ignored" in cards_[2] and "--roles column=role" in cards_[2] and "regression (" in cards_[2]
    assert "<svg" in cards_[3] and "<audio" not in cards_[3]


def test_the_report_shows_figures_classes_and_mistakes(report):
    html = reports.report_html(report)
    assert f"{report.accuracy:.4f}" in html and html.count("<tr>") == 11
    shown = re.findall(r'<figure class="lepton-sample lepton-wrong">', html)
    assert len(shown) == min(12, len(report.mistakes))
    assert not report.mistakes or "→" in html


@pytest.mark.parametrize("draw", [reports.report_html, reports.confusion_html])
def test_labels_are_data(report, draw):
    html = draw(evil_report(report))
    assert "<img src=x" not in html and "&lt;img src=x" in html


def test_the_confusion_matrix_is_a_plotly_figure(report):
    figure = reports.confusion_figure(evil_report(report))
    drawn = go.Figure(figure)
    assert drawn.data[0].type == "heatmap" and len(drawn.data[0].z) == 10
    assert "<img" not in str(figure["data"][0]["x"])
    bundle = reports.confusion_bundle(report)
    assert {"application/vnd.plotly.v1+json", "text/html", "text/plain"} <= set(bundle)


def test_two_classes_of_one_name_stay_two(report):
    values = {**report.values, "classes": [{**c, "name": "same"} for c in report.classes]}
    assert len(set(reports.confusion_figure(Report("r", values, report.dataset))["data"][0]["x"])) == 10


def test_many_classes_become_the_most_confused_pairs(report):
    many = [{**report.classes[0], "name": f"c{i}"} for i in range(30)]
    confusion = [[5 if i == j else int((i, j) == (3, 4)) for j in range(30)] for i in range(30)]
    html = reports.confusion_html(
        Report("r", {**report.values, "classes": many, "confusion": confusion}, report.dataset)
    )
    assert "c3" in html and "c4" in html and "c7" not in html


def test_a_prediction_says_whether_it_is_right():
    scores = {EVIL: 0.7, "b": 0.3}
    right = Prediction(EVIL, 0.7, scores, "digits", 3.21, row=0, truth=EVIL)
    assert "right" in cards.prediction_card(right) and "<img src=x" not in cards.prediction_card(right)
    wrong = replace(right, truth="b")
    assert "truth b" in cards.prediction_card(wrong) and wrong.correct is False


def size_of(png: bytes | None) -> tuple[int, int]:
    assert png is not None
    return Image.open(io.BytesIO(png)).size


def test_what_was_found_and_what_is_to_come_are_drawn(monkeypatch):
    monkeypatch.setenv("LEPTON_LANG", "zh")
    steps = Prediction.of({"label": "3 steps ahead", "forecast": [[1.0], [2.5], [2.0]]}, "load", 2.0)
    assert size_of(picture_of(steps)) == (380, 130) and str(steps) == "未来 3 步"
    card = cards.prediction_card(steps)
    assert "data:image/png" in card and "未来 3 步" in card and "steps ahead" not in card
    file = io.BytesIO()
    Image.new("L", (100, 60)).save(file, "PNG")
    edges = {"left": 0.1, "top": 0.2, "right": 0.5, "bottom": 0.9}
    found = Prediction.of({"label": "1 RBC", "boxes": [{"label": "RBC", "confidence": 0.9, **edges}]}, "cells", 2.0)
    found.picture = file.getvalue()
    assert size_of(picture_of(found)) == (300, 180) and picture_of(found) != found.picture
    nothing = Prediction.of({"label": "no box", "boxes": []}, "cells", 2.0)
    assert picture_of(nothing) is None and str(nothing) == "未发现目标"


def test_the_key_of_an_endpoint_is_shown_once(tmp_path):
    summary = SimpleNamespace(name="digits", url="http://127.0.0.1:8700", state="ready", version=1, run_id="r",
                              requests=0, p95_ms=None, message=None)  # fmt: skip
    fake = SimpleNamespace(endpoint_summary=lambda name: summary, store=Store(tmp_path).prepare())
    assert "lpt_secret" in cards.endpoint_card(Endpoint("digits", fake, "lpt_secret"))
    card = cards.endpoint_card(Endpoint("digits", fake))
    assert "lpt_secret" not in card and "http://127.0.0.1:8700" in card
    assert "8700" in lists.endpoints_card(EndpointList([summary]))


def test_a_run_has_a_form_for_every_page(trained):
    bundle = display.bundle(trained.run)
    assert bundle[runs.RUN_MIME]["run_id"] == trained.run.id
    assert bundle[runs.RUN_MIME]["store_id"] == trained.store.id
    assert runs.WIDGET_MIME not in bundle
    root = xml.fromstring(bundle["image/svg+xml"])
    assert root.attrib["role"] == "img" and trained.run.id in root.attrib["aria-label"]
    assert len(root.findall("{http://www.w3.org/2000/svg}path")) == 2
    assert f"%lepton run {trained.run.id}" in bundle["text/html"]
    assert str(trained.store.root) not in str(bundle)


def test_lists_and_status_have_cards(trained):
    assert trained.run.id in lists.runs_card(trained.session.runs())
    assert "none yet" not in lists.status_card(trained.session.status())


def summary(**values) -> RunSummary:
    return RunSummary("run-1", name="run-1", **{"state": "running", "epochs": 5, **values})


@pytest.mark.parametrize("points", [0, 1, 2, 400, 5000])
def test_a_picture_can_be_drawn_of_any_number_of_points(points):
    curve = Curve("run-1")
    curve.apply({"seq": 1, "time": 0.0, "elapsed_seconds": 0.0, "type": "RunStarted", "steps_per_epoch": 1000,
                 "steps_total": 5000, "from_step": 0})  # fmt: skip
    values = [0.5 + 0.4 * (i % 7) / 7 for i in range(points)]
    if points:
        series = {"train_accuracy": {"step": list(range(1, points + 1)), "value": values}}
        curve.apply({"seq": 2, "time": 0.0, "elapsed_seconds": 0.0, "type": "MetricsRecorded", "series": series,
                     "step": points, "epoch": points / 1000})  # fmt: skip
    svg = curve_svg(curve, summary())
    xml.fromstring(svg)
    assert len(svg) < 20_000
    assert ("no points yet" in svg) == (points == 0)


def test_names_in_a_picture_are_escaped():
    named = summary()
    named.run_id = EVIL
    xml.fromstring(curve_svg(Curve("run-1"), named))


def test_a_sparkline_needs_two_points():
    assert spark_svg([0.5]) == ""
    xml.fromstring(spark_svg([0.1, 0.1, 0.4]))
