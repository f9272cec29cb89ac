"""The studio's search for options, its form for a table's row, and the page's language."""

from __future__ import annotations

import json

import plotly.io
import pytest

from lepton_lab.runs import Store
from lepton_lab.session import Host, Session
from lepton_lab.tuning.record import Table, Trial
from lepton_lab.widgets.studies import importance_figure, parallel_figure
from lepton_lab.widgets.studio import Studio
from tests.waiting import wait_until

PAGE = "export default { render() {} }"
CSV = "length,width,kind,label\n" + "".join(
    f"{i % 7}.5,{i % 5},{'ab'[i % 2]},{['no', 'yes'][i % 7 > 3]}\n" for i in range(120)
)


@pytest.fixture(scope="module")
def plants(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "plants.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def studio(tmp_path, ended_after):
    store = Store(ended_after(tmp_path / "store"))
    widget = Studio(Session(store, Host(), who="studio"), module=PAGE)
    yield widget
    widget.close()


def say(widget: Studio, **message) -> None:
    widget._handle_custom_msg(json.loads(json.dumps(message)), [])
    widget._jobs.submit(lambda: None).result(timeout=60)


def test_from_a_search_to_the_answer_for_a_row_of_ones_own(studio, plants):
    say(studio, type="set", section="data", values={"name": str(plants)})
    say(studio, type="set", section="train", values={"epochs": 1, "name": "one"})
    say(studio, type="set", section="tune", values={"trials": 1, "search": "learning_rate=1e-3..1e-1", "prune": "none"})
    assert studio.lines["tune"]["magic"] == (
        "%lepton tune --search learning_rate=1e-3..1e-1 --trials 1 --prune none --epochs 1"
    )
    say(studio, type="tune")
    assert studio.error is None and studio.study["wanted"] == 1
    wait_until(lambda: studio.study["state"] == "finished", "the search has ended", 120)
    assert studio.study["ended"] == 1 and studio.study["trials"][0]["number"] == studio.study["best"]
    say(studio, type="take_best")
    assert studio.run_id == studio.study["best_run"]
    say(studio, type="set", section="deploy", values={"name": "plants"})
    say(studio, type="deploy")
    assert studio.error is None, studio.error
    fields = {field["name"]: field for field in studio.row_fields}
    assert [fields[name]["kind"] for name in ("length", "width", "kind")] == ["number", "number", "category"]
    assert fields["kind"]["choices"] == ["a", "b"] and fields["length"]["example"] is not None
    say(studio, type="predict", values={"length": 5.5, "width": None, "kind": "a"})
    assert studio.error is None and studio.prediction["label"] in ("no", "yes")
    say(studio, type="predict", values={"length": "long", "width": 1, "kind": "a"})
    assert "length" in studio.error["message"]
    say(studio, type="stop_endpoint")


def test_the_kernels_sentences_are_in_the_pages_language(studio, plants):
    say(studio, type="set", section="data", values={"name": str(plants)})
    say(studio, type="load_data")
    english = studio.card
    assert english["task_reason"] and english["task_reason"].isascii()
    say(studio, type="language", language="zh-CN")
    assert not studio.card["task_reason"].isascii() and studio.card["columns"][0]["name"] == "length"
    say(studio, type="set", section="train", values={"epochs": 0})
    assert studio.error["message"] == "train: epochs 为 0；应大于或等于 1。"
    say(studio, type="stop_study")
    assert studio.error["message"] == "还没有搜索；请先开始一次。"
    say(studio, type="language", language="en")
    assert studio.card == english


def test_a_dashboard_offers_no_search(tmp_path):
    widget = Studio(Session(Store(tmp_path), Host(), who="guest"), public=True, module=PAGE)
    assert widget.choices["search"] == []
    say(widget, type="tune")
    assert widget.study is None and "cannot" in widget.error["message"]
    widget.close()


def test_a_study_that_has_ended_is_drawn_as_lines_and_by_what_matters():
    trials = [Trial(number, f"run-{number}", "finished", {"a<b": number, "c": "x"}, 0.5 + number) for number in (0, 1)]
    found = Table("s", "finished", trials=trials, best=1, importances={"c": 0.8, "a<b": 0.2})
    lines, bars = plotly.io.from_json(json.dumps(parallel_figure(found))), importance_figure(found)
    assert [axis.label for axis in lines.data[0].dimensions] == ["c", "a&lt;b", "val accuracy"]
    drawn = plotly.io.from_json(json.dumps(bars)).data[0]
    assert (list(drawn.x), list(drawn.y), list(drawn.text)) == ([0.2, 0.8], ["a&lt;b", "c"], ["20%", "80%"])
