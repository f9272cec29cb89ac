"""What the studio does beside the five steps' own work: files sent by a page, the network on paper, explanations."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lepton_lab.widgets as widgets
from lepton_lab.errors import DataError, RunError, SpecError
from lepton_lab.evaluation.classes import _thresholds
from lepton_lab.session import Host, Session
from lepton_lab.widgets.studio import Studio
from lepton_lab.widgets.studio_steps import explanation
from lepton_lab.widgets.uploads import Upload

PAGE = "export default { render() {} }"
CSV = b"length,width,kind\n" + b"".join(f"{i % 7},{i % 5},{'ab'[i % 2]}\n".encode() for i in range(80))


@pytest.fixture
def studio(trained):
    session = Session(trained.store, Host(), who="studio")
    widget = Studio(session, module=PAGE)
    yield widget
    widget.close()


def say(widget: Studio, message: dict, *buffers: bytes) -> None:
    widget._handle_custom_msg(json.loads(json.dumps(message)), list(buffers))
    widget._jobs.submit(lambda: None).result(timeout=60)


def test_a_file_that_is_sent_in_pieces_is_loaded(studio):
    head, rest = CSV[:300], CSV[300:]
    piece = {"type": "upload", "name": "plants.csv", "total": len(CSV)}
    say(studio, {**piece, "offset": 0}, head)
    say(studio, {**piece, "offset": len(head)}, rest)
    assert studio.error is None and studio.card["title"] == "plants.csv"
    assert studio.values["data"]["name"].endswith("uploads/plants.csv")
    assert "plants.csv" in studio.lines["data"]["magic"]


@pytest.mark.parametrize("name", ["../plants.csv", "/etc/passwd", "plants.exe", ".h.csv", "", None, "a" * 200 + ".csv"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be taken"):
        Upload(tmp_path, name, 10)


def test_odd_signs_in_a_name_are_no_reason_to_refuse_a_file(tmp_path):
    assert Upload(tmp_path, "<b>Bob's 数据.csv", 10).path.name == "b-Bob-s 数据.csv"


def test_a_piece_that_is_missing_is_told(tmp_path):
    upload = Upload(tmp_path, "plants.csv", 100)
    assert not upload.add(0, b"x" * 40)
    with pytest.raises(DataError, match="did not arrive whole"):
        upload.add(50, b"x" * 50)
    assert not (tmp_path / "uploads" / "plants.csv").exists()


def test_a_dashboard_takes_no_files(trained):
    widget = Studio(Session(trained.store, Host(), who="studio"), module=PAGE, public=True)
    say(widget, {"type": "upload", "name": "plants.csv", "total": 3, "offset": 0}, b"a,b")
    assert "takes no files" in widget.error["message"]
    widget.close()


def test_an_answer_rests_on_squares_of_its_picture(trained):
    found = explanation(trained.run, 0)
    assert found["kind"] == "picture" and found["picture"].startswith("data:image/png;base64,")
    effects = np.array(found["effects"])
    assert effects.shape == (8, 8) and np.abs(effects).max() > 0.001
    with pytest.raises(RunError, match="test rows 0 to"):
        explanation(trained.run, 10**6)
    with pytest.raises(SpecError, match="number of a test row"):
        explanation(trained.run, "0")


def test_a_threshold_counts_what_is_found_and_what_is_a_false_alarm():
    counts = _thresholds(np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 1, 0, 1]))
    assert [len(each) for each in counts.values()] == [101, 101]
    assert (counts["true_positives"][0], counts["false_positives"][0]) == (2, 2)
    assert (counts["true_positives"][50], counts["false_positives"][50]) == (1, 1)
    assert (counts["true_positives"][95], counts["false_positives"][95]) == (0, 0)


def test_each_step_is_a_widget_of_its_own(trained):
    session = Session(trained.store, Host(), who="studio")
    for name, step in zip(widgets.STEPS, ("data", "model", "train", "evaluate", "deploy"), strict=True):
        widget = getattr(widgets, name)(session, module=PAGE)
        assert (widget.only, widget.step if name != "Trainer" else "train") == (step, step)
        widget.close()
