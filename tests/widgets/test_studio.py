"""The studio's kernel side: a form that is true to its lines, steps that do the work, and a closed public door."""

from __future__ import annotations

import base64
import json
import threading

import jsonschema
import pytest

from lepton_lab.errors import SpecError
from lepton_lab.session import Host, Session
from lepton_lab.verbs import parse
from lepton_lab.widgets import studio_values as forms
from lepton_lab.widgets.studio import Studio
from tests.slow_source import slow_source

PAGE = "export default { render() {} }"


@pytest.fixture
def studio(trained):
    """A studio on the store of the trained run, as a page without JavaScript sees it."""
    session = Session(trained.store, Host(), who="studio")
    widget = Studio(session, module=PAGE)
    widget.frames = []
    widget.send = lambda content, buffers=None: widget.frames.append(content)
    yield widget
    widget.close()


def say(widget: Studio, **message) -> None:
    """Sends a message as a page does, and waits until the widget's work is done."""
    widget._handle_custom_msg(json.loads(json.dumps(message)), [])
    widget._jobs.submit(lambda: None).result(timeout=60)


def wait_for(widget: Studio, trait: str, condition, seconds: float = 60.0):
    """Waits until a trait has a value that the condition likes."""
    reached = threading.Event()
    look = lambda _: reached.set() if condition(getattr(widget, trait)) else None  # noqa: E731
    widget.observe(look, trait)
    look(None)
    assert reached.wait(seconds), f"{trait} is {getattr(widget, trait)!r}, error {widget.error!r}"
    widget.unobserve(look, trait)
    return getattr(widget, trait)


def test_it_opens_on_digits_with_lines_that_can_be_typed(studio):
    assert studio.values["data"] == {"name": "digits"} and studio.step == "data"
    assert set(studio.lines) == {"data", "model", "train", "tune", "evaluate", "deploy", "predict"}
    for line in studio.lines.values():
        parse(line["magic"].removeprefix("%lepton "))
        compile(line["python"], "<studio>", "exec")


def test_a_search_has_a_place_of_its_own_for_its_trials(studio):
    say(studio, type="set", section="train", values={"cluster": "head:1", "seed": 3})
    say(studio, type="set", section="tune", values={"cluster": "auto", "gpus_per_worker": 0.5, "trials": 4})
    asked = parse(studio.lines["tune"]["magic"].removeprefix("%lepton ")).values
    assert asked == {"cluster": "auto", "gpus_per_worker": 0.5, "trials": 4, "seed": 3}
    assert "head:1" in studio.lines["train"]["magic"]


def test_the_whole_way_by_messages(studio):
    say(studio, type="set", section="model", values={"name": "cnn", "options": {"channels": 8}})
    say(studio, type="set", section="train", values={"epochs": 3, "learning_rate": None})
    assert studio.lines["train"]["magic"] == "%lepton train --epochs 3"
    say(studio, type="load_data")
    assert studio.card["rows"]["test"] == 359 and studio.card["samples"][0]["image"].startswith("data:image/png")
    assert studio.model_summary["options"]["channels"] == 8
    say(studio, type="train")
    assert studio.error is None and studio.run_id.startswith("digits-cnn-")
    wait_for(studio, "summary", lambda summary: summary["state"] == "finished")
    report = wait_for(studio, "report", bool)
    assert report["accuracy"] > 0.8 and all("image" in item for item in report["mistakes"])
    assert studio.model_summary["num_parameters"] > 0
    assert any(frame["type"] == "frame" and frame["series"] for frame in studio.frames)
    say(studio, type="set", section="deploy", values={"name": "studio-digits"})
    say(studio, type="deploy")
    assert studio.endpoint["state"] == "ready" and studio.endpoint["key_shown_once"].startswith("lpt_")
    say(studio, type="hello")
    assert studio.endpoint["key_shown_once"] is None
    say(studio, type="predict", row=2)
    answer = studio.prediction
    assert answer["row"] == 2 and answer["truth"] and answer["picture"].startswith("data:image/png")
    assert studio.lines["predict"]["magic"] == "%lepton predict studio-digits --row 2"
    say(studio, type="predict", image=answer["picture"])
    assert studio.prediction["label"] == answer["label"] and studio.prediction["row"] is None
    clients = studio.endpoint["clients"]
    assert set(clients) == {"Python", "curl", "JavaScript"} and "digit.png" in clients["curl"]
    again = Studio(studio._session, module=PAGE)
    assert wait_for(again, "endpoint", bool)["name"] == "studio-digits", "closing and opening loses nothing"
    assert again.endpoint["key_shown_once"] is None and wait_for(again, "report", bool)
    again.close()
    say(studio, type="stop_endpoint")
    assert studio.endpoint["state"] == "stopped"


def test_a_person_cancels_what_is_being_loaded(studio):
    with slow_source() as source:
        say(studio, type="set", section="data", values={"name": "mnist", "mirror": source.address})
        studio._handle_custom_msg({"type": "load_data"}, [])
        assert source.reached.wait(60) and studio.loading
        studio._handle_custom_msg({"type": "cancel_loading"}, [])
        source.goes_on.set()
        wait_for(studio, "loading", lambda loading: not loading)
        assert wait_for(studio, "error", bool)["message"] == "Loading mnist was cancelled; nothing of it was kept."


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "set", "section": "train", "values": {"epochs": 0}}, "epochs is 0"),
        ({"type": "set", "section": "train", "values": {"epoch": 3}}, "epochs"),
        ({"type": "set", "section": "model", "values": {"name": "cnm"}}, "cnn"),
        ({"type": "set", "section": "kitchen", "values": {}}, "no section 'kitchen'"),
        ({"type": "set", "section": "train", "values": [1]}, "no section"),
        ({"type": "command", "command": "pause"}, "no run yet"),
        ({"type": "evaluate"}, "no run yet"),
        ({"type": "deploy"}, "no run yet"),
    ],
)
def test_what_is_wrong_is_said_in_the_step(studio, message, said):
    before = studio.values
    say(studio, **message)
    assert said in studio.error["message"] and studio.error["step"] in forms.STEPS
    assert studio.values == before and studio.busy == ""


def test_a_wrong_picture_is_refused(studio, trained):
    endpoint = trained.run.deploy(name="studio-picture")
    try:
        studio.endpoint = {**endpoint.summary.to_dict(), "key_shown_once": None}
        say(studio, type="predict", image="data:image/png;base64,%%%")
        assert "did not arrive whole" in studio.error["message"]
        say(studio, type="predict", image=base64.b64encode(b"no picture").decode())
        assert studio.error["step"] == "deploy" and studio.prediction is None
        say(studio, type="predict", row="1")
        assert "expected the number of a test row" in studio.error["message"]
        say(studio, type="predict", row=10_000)
        assert "test rows" in studio.error["message"]
    finally:
        endpoint.stop()


def test_nonsense_of_a_page_changes_nothing(studio):
    before = (studio.values, studio.step, studio.error)
    for content in (None, "x", [], {"type": "unknown"}, {"type": ["train"]}, {}):
        studio._handle_custom_msg(content, [])
    assert (studio.values, studio.step, studio.error) == before


def test_a_network_never_comes_from_a_page(studio):
    for values in ({"name": "Own", "source": "import os", "class_name": "Own"}, {"name": "cnn", "source": "import os"}):
        try:
            assert "source" not in forms.checked("model", values, public=False)
        except SpecError:
            continue


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("data", {"name": "/etc/passwd"}),
        ("data", {"name": "../secrets.csv"}),
        ("data", {"name": "digits", "mirror": "http://169.254.169.254/"}),
        ("data", {"name": "digits", "fingerprint": "0" * 32}),
        ("deploy", {"host": "0.0.0.0", "allow_remote": True}),
        ("deploy", {"host": "127.0.0.1"}),
    ],
)
def test_a_public_studio_keeps_to_what_is_offered(section, values):
    with pytest.raises(SpecError, match="dashboard"):
        forms.checked(section, values, public=True)
    forms.checked(section, values, public=False)


def test_schemas_are_json_schemas_without_the_closed_fields():
    for public in (False, True):
        schemas = forms.schemas(public=public)
        for schema in (schemas["data"], schemas["train"], schemas["deploy"], *schemas["model"].values()):
            jsonschema.Draft202012Validator.check_schema(schema)
        assert ("mirror" in schemas["data"]["properties"]) is not public
    assert forms.choices(public=True)["paths"] is False


def test_it_takes_over_what_the_session_holds(trained):
    session = Session(trained.store, Host())
    session.load_data("digits", validation_fraction=0.2)
    session.select_model("rnn", cell="gru")
    run = session.current_model().train(wait=False, epochs=1)
    widget = Studio(session, module=PAGE)
    try:
        assert widget.values["data"]["validation_fraction"] == 0.2
        assert widget.values["model"] == {"name": "rnn", "options": {"cell": "gru"}}
        assert (widget.step, widget.run_id) == ("train", run.id)
        wait_for(widget, "card", bool)
        wait_for(widget, "report", bool)
    finally:
        widget.close()
    assert "--validation-fraction 0.2" in widget.lines["data"]["magic"]


def test_the_schemas_that_the_tests_of_js_use_are_current():
    from tests.tools import studio_schemas

    assert studio_schemas.PATH.read_text(encoding="utf-8") == studio_schemas.text(), (
        "js/tests/fixtures/schemas.json is old; `python -m tests.tools.studio_schemas` writes it anew"
    )
