"""What a person does with kept runs, from a terminal and a notebook: labels, order, comparison, tidying up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lepton_lab.cli import main
from lepton_lab.errors import RunError, UnknownName
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.session import Session
from lepton_lab.specs import RunSpec
from lepton_lab.verbs import VERBS, parse
from lepton_lab.widgets.display import bundle


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "home"))
    return Store.default().prepare()


def make(store: Store, name: str, *, accuracy: float | None = None, **train: object) -> RunRecord:
    """A run that waits or, with an accuracy, has finished with it."""
    asked = {"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": 2, **train}}
    record = create_run(store, RunSpec.parse(asked), name=name)
    if accuracy is not None:
        with EventLog.open_writer(record.dir) as writer:
            writer.append("RunStarted", device="cpu", steps_per_epoch=5, steps_total=10, learning_rate=0.1, from_step=0)
            writer.append("EpochEnded", epoch=2, step=10, val_loss=1 - accuracy, val_accuracy=accuracy, is_best=True)
            writer.append("RunFinished", step=10, epoch=2, best_val_accuracy=accuracy, seconds=1.0)
    return record


def said(capsys, *words: str, code: int = 0) -> dict:
    """The JSON object that a command prints last."""
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_labels_from_a_terminal_stand_in_the_list(store, capsys):
    make(store, "one", accuracy=0.9)
    assert said(capsys, "runs", "rename", "one", "The good one")["title"] == "The good one"
    assert said(capsys, "runs", "tag", "one", "paper", "baseline")["tags"] == ["paper", "baseline"]
    assert said(capsys, "runs", "tag", "one", "paper", "--remove")["tags"] == ["baseline"]
    assert said(capsys, "runs", "note", "one", "Learning rate found by hand.")["note"].startswith("Learning")
    assert said(capsys, "runs", "pin", "one")["pinned"] is True
    (run,) = said(capsys, "runs", "--sizes")["runs"]
    assert (run["title"], run["tags"], run["pinned"]) == ("The good one", ["baseline"], True)
    assert run["bytes"] > 0
    assert "pinned" in said(capsys, "runs", "delete", "one", code=2)["error"]
    assert said(capsys, "runs", "pin", "one", "--no-pinned")["pinned"] is False
    assert said(capsys, "runs", "rename", "one")["title"] is None
    assert said(capsys, "runs", "delete", "one")["freed_bytes"] > 0
    assert said(capsys, "runs")["runs"] == []


def test_runs_are_found_and_sorted(store, capsys):
    for name, accuracy in (("worst", 0.5), ("best", 0.9), ("middle", 0.7)):
        make(store, name, accuracy=accuracy)
    make(store, "waits")
    said(capsys, "runs", "tag", "middle", "paper")

    def names(*words: str) -> list[str]:
        return [run["run_id"] for run in said(capsys, "runs", *words)["runs"]]

    assert names("--sort", "val_metric") == ["best", "middle", "worst", "waits"]
    assert names("--sort", "val_metric", "--reverse") == ["worst", "middle", "best", "waits"]
    assert names("--sort", "val_loss", "--limit", "1") == ["best"]
    assert names("--sort", "name") == ["best", "middle", "waits", "worst"]
    assert names("--state", "queued") == ["waits"]
    assert names("--tag", "paper") == names("--search", "PAPER digits") == ["middle"]
    with pytest.raises(UnknownName, match="val_metric"):
        Session(store).runs(sort="accuracy")


def test_runs_side_by_side(store, capsys):
    make(store, "slow", accuracy=0.6, learning_rate=0.001)
    make(store, "fast", accuracy=0.8, learning_rate=0.01)
    found = said(capsys, "compare", "slow", "fast", "--sort", "val_accuracy", "--descending")
    assert [row["run_id"] for row in found["rows"]] == ["fast", "slow"]
    assert found["differing"] == ["train.learning_rate"]
    assert set(found["curves"]["val_accuracy"]) == {"slow", "fast"}
    view = Session(store).compare(["slow", "fast"], sort="learning_rate")
    assert view.shown_columns()[:3] == ["run_id", "train.learning_rate", "state"]
    head, first, second = str(view).splitlines()
    assert head.split()[:2] == ["run", "learning_rate"] and first.startswith("slow") and second.startswith("fast")
    assert "<mark>0.001</mark>" in bundle(view)["text/html"]
    assert "no column" in said(capsys, "compare", "slow", "fast", "--sort", "x", code=2)["error"]


def test_the_queue_is_shown_and_put_in_order(store, capsys):
    for name in ("first", "second", "third"):
        Queue(store).enqueue(make(store, name).run_id)

    def order() -> list[str]:
        return [run["run_id"] for run in said(capsys, "queue")["queue"]]

    assert order() == ["first", "second", "third"]
    assert said(capsys, "queue", "third", "--place", "1")["queue_position"] == 1
    assert order() == ["third", "first", "second"]
    assert said(capsys, "queue", "second", "--priority", "5")["queue_position"] == 1
    assert order() == ["second", "third", "first"]
    assert "nothing to change" in said(capsys, "queue", "first", code=2)["error"]
    assert "priority" in bundle(Session(store).queue())["text/html"]


def test_details_say_where_a_run_stands_and_comes_from(store, capsys):
    make(store, "one", accuracy=0.9, learning_rate=0.03)
    found = said(capsys, "runs", "show", "one")
    assert found["summary"]["run_id"] == "one" and found["options"]["train.learning_rate"] == 0.03
    assert found["checkpoints"] == [] and found["lineage"] == [] and found["bytes"] > 0
    details = Session(store).run("one").details()
    assert "train.learning_rate = 0.03" in str(details)
    assert "0.9000" in bundle(details)["text/html"]


def test_space_is_freed_only_when_asked(store, capsys):
    run = make(store, "old", accuracy=0.5)
    plan = said(capsys, "runs", "gc", "--older-than-days", "0")
    assert [item["kind"] for item in plan["items"]] == ["run"] and plan["freed_bytes"] is None
    assert run.dir.is_dir()
    assert main(["runs", "gc", "--older-than-days", "0"]) == 0
    assert "lepton-lab runs gc --apply" in capsys.readouterr().out
    assert said(capsys, "runs", "gc", "--older-than-days", "0", "--apply")["freed_bytes"] > 0
    assert not run.dir.exists()


def test_a_run_moves_to_another_store(store, capsys, tmp_path, monkeypatch):
    make(store, "traveller", accuracy=0.8)
    make(store, "waits")
    path = Path(said(capsys, "runs", "move", "traveller", str(tmp_path / "bag"))["path"])
    assert path == tmp_path / "bag" / "traveller" and (path / "events.jsonl").is_file()
    assert [run["run_id"] for run in said(capsys, "runs")["runs"]] == ["waits"]
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "elsewhere"))
    assert said(capsys, "runs", "import", str(path))["run_id"] == "traveller"
    assert said(capsys, "runs", "show", "traveller")["summary"]["best_val_accuracy"] == 0.8
    with pytest.raises(RunError, match="inside the run store"):
        Session(store).run("waits").move(store.root / "here")


def test_runs_as_csv(store, capsys, tmp_path):
    make(store, "one", accuracy=0.9)
    lines = said(capsys, "runs", "export", "one")["text"].splitlines()
    assert lines[0].startswith("run_id,") and lines[1].startswith("one,")
    target = tmp_path / "curves.csv"
    assert said(capsys, "runs", "export", "one", "--format", "curves", "--to", str(target))["path"] == str(target)
    assert "one,val_accuracy,10,2.0,0.9" in target.read_text()
    assert "--to" in said(capsys, "runs", "export", "one", "--format", "tensorboard", code=2)["error"]


def test_verbs_of_two_words():
    assert parse("runs tag one a b --remove").values == {"run": "one", "tags": ["a", "b"], "remove": True}
    assert parse("runs --limit 3").verb is VERBS["runs"]
    with pytest.raises(UnknownName, match="runs rename"):
        parse("runs renam one")
    assert parse("compare a b c").values == {"runs": ["a", "b", "c"]}
