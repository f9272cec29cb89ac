"""Runs in other programs' formats: CSV always, TensorBoard and MLflow where they are installed. Never imports torch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lepton_lab.errors import MissingExtra, RunError
from lepton_lab.runs.compare import Comparison, compare_runs
from lepton_lab.runs.lines import epochs_of
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import RunState

_MLFLOW_BATCH = 1000
"""MLflow takes so many points in one call."""
_MLFLOW_VALUE_LENGTH = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(store: Store, run_ids: Sequence[str]) -> str:
    """The table of a comparison as CSV text, one row a run; see `compare_runs`."""
    return table_csv(compare_runs(store, run_ids, curves=False))


def table_csv(comparison: Comparison) -> str:
    """A comparison's table as CSV text. A text that a spreadsheet would take for a formula gets a quote before it."""
    out = io.StringIO()
    names = [column.name for column in comparison.columns]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in comparison.rows:
        writer.writerow([_cell(row[name]) for name in names])
    return out.getvalue()


def curves_csv(store: Store, run_ids: Sequence[str]) -> str:
    """All points of the runs' curves as CSV text: run_id, curve, step, epoch, value."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run_id", "curve", "step", "epoch", "value"])
    for run_id in dict.fromkeys(run_ids):
        curve = RunRecord.find(store, run_id).curve()
        for name, series in curve.series.items():
            for step, epoch, value in zip(series.steps, series.x, series.y, strict=True):
                writer.writerow([run_id, name, step, epoch, "" if math.isnan(value) else value])
    return out.getvalue()


def to_tensorboard(store: Store, run_ids: Sequence[str], folder: Path) -> list[Path]:
    """Writes the runs' curves as TensorBoard event files, one folder a run; `tensorboard --logdir FOLDER` shows them.

    Args:
        store: The store.
        run_ids: Which runs.
        folder: Where to; made if it is missing.

    Returns:
        The runs' folders.

    Raises:
        MissingExtra: If tensorboard is not installed.
        RunError: If a run's folder is there already.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise MissingExtra("tensorboard", "export", "The TensorBoard export") from error
    made = []
    for record in [RunRecord.find(store, run_id) for run_id in dict.fromkeys(run_ids)]:
        target = folder / record.run_id
        if target.exists():
            raise RunError(f"{target} is there already; remove it, or choose another folder.")
        writer = EventFileWriter(str(target))
        try:
            for name, step, value, seconds in _points(record):
                summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
                writer.add_event(Event(wall_time=seconds, step=step, summary=summary))
        finally:
            writer.close()
        made.append(target)
    return made


def to_mlflow(store: Store, run_ids: Sequence[str], tracking_uri: str, *, experiment: str = "lepton_lab") -> list[str]:
    """Writes runs into an MLflow store: options as parameters, curves as metrics, labels as tags.

    Args:
        store: The store.
        run_ids: Which runs.
        tracking_uri: MLflow's store, a folder or an address; as the user types it, never from a request.
        experiment: The experiment to put them in; made if it is missing.

    Returns:
        MLflow's ids of the runs.

    Raises:
        MissingExtra: If mlflow is not installed.
    """
    try:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MissingExtra("mlflow", "export", "The MLflow export") from error
    records = [RunRecord.find(store, run_id) for run_id in dict.fromkeys(run_ids)]
    client = MlflowClient(tracking_uri=tracking_uri)
    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found is not None else client.create_experiment(experiment)
    made = []
    for record in records:
        summary = record.summary()
        began = _milliseconds(summary.started or summary.created)
        run = client.create_run(experiment_id, start_time=began, run_name=summary.title or record.run_id)
        mlflow_id = run.info.run_id
        params = [Param(name, str(value)[:_MLFLOW_VALUE_LENGTH]) for name, value in _options(store, record).items()]
        tags = {"lepton_lab.run_id": record.run_id, "lepton_lab.tags": " ".join(summary.tags)}
        tags |= {"mlflow.note.content": summary.note} if summary.note else {}
        client.log_batch(mlflow_id, params=params, tags=[RunTag(name, value) for name, value in tags.items()])
        metrics = [Metric(name, value, _milliseconds(at), step) for name, step, value, at in _points(record)]
        if summary.test_metric is not None:
            at_end = _milliseconds(summary.ended)
            metrics.append(Metric(f"test_{summary.metric}", summary.test_metric, at_end, summary.step))
        for begin in range(0, len(metrics), _MLFLOW_BATCH):
            client.log_batch(mlflow_id, metrics=metrics[begin : begin + _MLFLOW_BATCH])
        client.set_terminated(mlflow_id, _MLFLOW_STATUS.get(summary.state, "RUNNING"), _milliseconds(summary.ended))
        made.append(mlflow_id)
    return made


_MLFLOW_STATUS = {
    RunState.finished.value: "FINISHED",
    RunState.failed.value: "FAILED",
    RunState.stopped.value: "KILLED",
}


def _points(record: RunRecord) -> Iterator[tuple[str, int, float, float]]:
    """Every point as curve, step, value and date (unix seconds, of the event that carried it)."""
    dates: dict[tuple[str, int], float] = {}
    last = 0.0
    for event in record.events():
        last = max(last, float(event.get("time") or 0.0))
        if event["type"] == "MetricsRecorded":
            dates |= {(name, step): last for name, points in event["series"].items() for step in points["step"]}
        elif event["type"] == "EpochEnded":
            for epoch in epochs_of(event):
                dates |= {(name, epoch["step"]): last for name in epoch if name.startswith("val_")}
    for name, series in record.curve().series.items():
        for step, value in zip(series.steps, series.y, strict=True):
            if not math.isnan(value):
                yield name, step, value, dates.get((name, step), last)


def _options(store: Store, record: RunRecord) -> dict[str, Any]:
    comparison = compare_runs(store, [record.run_id], curves=False)
    row = comparison.rows[0]
    options = [column.name for column in comparison.columns if column.kind == "option"]
    return {name: row[name] for name in options if row[name] is not None}


def _milliseconds(seconds: float | None) -> int:
    return int(1000 * (seconds or 0.0))


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
