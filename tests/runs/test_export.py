"""Runs in other programs' formats, read back by those programs themselves."""

from __future__ import annotations

import csv
import io

import pytest

from lepton_lab.errors import RunError, UnknownName
from lepton_lab.runs import EventLog, create_run
from lepton_lab.runs.compare import compare_runs, extremes
from lepton_lab.runs.export import curves_csv, to_csv, to_mlflow, to_tensorboard
from lepton_lab.runs.labels import rename_run, tag_run


@pytest.fixture
def runs(store, spec):
    made = []
    for rate in (0.001, 0.002):
        train = spec.train.changed(learning_rate=rate)
        run = create_run(store, spec.model_copy(update={"train": train}))
        with EventLog.open_writer(run.dir) as writer:
            writer.append("RunStarting")
            writer.append("RunStarted", steps_per_epoch=10, metric="accuracy")
            points = {"step": [1, 5, 10], "value": [2.0, float("nan"), 1000 * rate]}
            writer.append("MetricsRecorded", series={"train_loss": points}, step=10, epoch=1.0)
            writer.append("EpochEnded", epoch=1, step=10, val_loss=0.5, val_accuracy=0.9 + 10 * rate)
            writer.append("ReportWritten", test_accuracy=0.9, test_rows=10)
            writer.append("RunFinished", step=10, epoch=1.0)
        made.append(run)
    return made


def names(runs):
    return [run.run_id for run in runs]


def test_the_table_highlights_what_differs_and_sorts_and_filters(store, runs):
    table = compare_runs(store, names(runs))
    assert table.differing() == ["train.learning_rate"]
    differs = {column.name for column in table.columns if column.differs}
    assert {"train.learning_rate", "val_accuracy", "train_loss"} <= differs and "val_loss" not in differs
    best = table.sorted_by("best_val_accuracy", descending=True).rows[0]
    assert best["run_id"] == runs[1].run_id and best["best_val_accuracy"] == pytest.approx(0.92)
    one = table.where(lambda row: row["train.learning_rate"] < 0.0015)
    assert [row["run_id"] for row in one.rows] == [runs[0].run_id]
    assert one.differing() == [] and set(one.curves["train_loss"]) == {runs[0].run_id}
    assert table.curves["train_loss"][runs[0].run_id] == {"epoch": [0.1, 0.5, 1.0], "value": [2.0, None, 1.0]}
    with pytest.raises(RunError, match="no column 'speed'"):
        table.sorted_by("speed")
    with pytest.raises(UnknownName):
        compare_runs(store, ["nobody"])
    with pytest.raises(RunError, match="no run"):
        compare_runs(store, [])


def test_a_thinned_curve_keeps_every_spike():
    y = [0.0] * 100_000
    y[54_321], y[77_777] = 9.0, -9.0
    x, thinned = extremes(range(100_000), y, 1000)
    assert len(thinned) <= 1000 and max(thinned) == 9.0 and min(thinned) == -9.0
    assert x == sorted(x)


def test_csv_is_read_back_and_holds_no_formula(store, runs):
    rename_run(runs[0].dir, "=1+1", by="test")
    rows = list(csv.DictReader(io.StringIO(to_csv(store, names(runs)))))
    assert [row["run_id"] for row in rows] == names(runs)
    assert rows[0]["title"] == "'=1+1"
    assert float(rows[1]["train.learning_rate"]) == 0.002
    points = list(csv.DictReader(io.StringIO(curves_csv(store, names(runs)))))
    assert len(points) == 2 * (3 + 1 + 1)
    assert points[1] == {"run_id": runs[0].run_id, "curve": "train_loss", "step": "5", "epoch": "0.5", "value": ""}


def test_tensorboard_reads_what_was_written(store, runs, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folders = to_tensorboard(store, names(runs), tmp_path / "board")
    assert [folder.name for folder in folders] == names(runs)
    reader = EventAccumulator(str(folders[1]))
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == {"train_loss", "val_loss", "val_accuracy"}
    assert [(each.step, round(each.value, 4)) for each in reader.Scalars("train_loss")] == [(1, 2.0), (10, 2.0)]
    assert round(reader.Scalars("val_accuracy")[0].value, 4) == 0.92
    with pytest.raises(RunError, match="is there already"):
        to_tensorboard(store, names(runs), tmp_path / "board")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_mlflow_reads_what_was_written(store, runs, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    tag_run(runs[0].dir, ["paper"], by="test")
    address = (tmp_path / "mlruns").as_uri()
    ids = to_mlflow(store, names(runs), address, experiment="digits")
    assert len(to_mlflow(store, names(runs[:1]), address, experiment="digits")) == 1  # the experiment is there already
    found = MlflowClient(tracking_uri=address).get_run(ids[0])
    assert found.data.params["train.learning_rate"] == "0.001"
    assert found.data.tags["lepton_lab.tags"] == "paper"
    assert found.data.metrics["test_accuracy"] == 0.9
    assert found.info.status == "FINISHED"
    history = MlflowClient(tracking_uri=address).get_metric_history(ids[1], "train_loss")
    assert [(each.step, each.value) for each in history] == [(1, 2.0), (10, 2.0)]


def test_what_is_not_installed_is_said_with_the_way_to_get_it(store, runs, tmp_path, monkeypatch):
    import sys

    from lepton_lab.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(MissingExtra, match=r"lepton-lab\[export\]"):
        to_tensorboard(store, names(runs), tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow.entities", None)
    with pytest.raises(MissingExtra, match=r"lepton-lab\[export\]"):
        to_mlflow(store, names(runs), str(tmp_path))
