"""What a worker makes of a run that has finished: the bundle, other tools' formats, small variants, a replay."""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_lab.errors import LeptonError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.events import EventLog, EventWriter, RunBusy
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import RunState
from lepton_lab.specs.tasks import TASKS

if TYPE_CHECKING:
    from torch import nn

    from lepton_lab.data import PreparedDataset

BUNDLE_FOLDER = "bundle"
FORMATS_FOLDER = "formats"
TEST_METRICS = (
    *(task.metric for task in TASKS.values()), "loss", "precision_macro", "recall_macro", "f1_macro", "f1_micro", "r2",
    "ndcg", "map",
)  # fmt: skip
"""Figures of a report that a bundle carries."""


def export(
    record: RunRecord,
    events: EventWriter,
    module: nn.Module,
    best_val_metric: float | None,
    dataset: PreparedDataset,
) -> None:
    """Writes the bundle; a run that cannot be exported stays finished and says why."""
    began = time.monotonic()
    folder = record.dir / BUNDLE_FOLDER
    try:
        from lepton_lab.serving.export import export_bundle

        info = {
            "run_id": record.run_id,
            "name": record.run_id,
            "model": record.spec().model.name,
            "metrics": {**_test_metrics(record), f"val_{TASKS[dataset.task].metric}": best_val_metric},
        }
        export_bundle(module.cpu(), dataset, info, folder)
    except Exception as error:
        traceback.print_exc()
        events.append("BundleFailed", message=_said(error))
        return
    num_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    events.append("BundleWritten", bytes=num_bytes, seconds=round(time.monotonic() - began, 3))


def export_again(store: Store, run_id: str) -> int:
    """Writes the bundle of a finished run from its last checkpoint; returns the exit status.

    A run is finished before its bundle is there, so a worker that dies in between leaves the bundle to be written.
    """
    record = RunRecord(store, run_id)
    try:
        with EventLog.open_writer(record.dir, wait_seconds=0.0) as events:
            if events.state is not RunState.finished or (record.dir / BUNDLE_FOLDER).exists():
                return 0
            return _export_from_checkpoint(record, events)
    except RunBusy:
        return 0  # its worker lives and writes the bundle itself


def replay_again(store: Store, run_id: str, answer: Path) -> int:
    """Trains a finished run again from a checkpoint and writes how far it is the same; returns the exit status."""
    from lepton_lab.training.replay import replay

    try:
        found = replay(RunRecord(store, run_id))
    except LeptonError as error:
        print(error, file=sys.stderr)
        return 1
    write_json(answer, found)
    return 0


def _export_from_checkpoint(record: RunRecord, events: EventWriter) -> int:
    from lepton_lab.training.restore import trained

    try:
        module, dataset = trained(record)
    except Exception as error:
        traceback.print_exc()
        events.append("BundleFailed", message=_said(error))
        return 1
    export(record, events, module, events.fold.summary().best_val_metric, dataset)
    return 0


def write_formats_of(store: Store, run_id: str) -> int:
    """Writes a finished run's network in the formats of other tools, into its folder; returns the exit status."""
    from lepton_lab.training.formats import write_formats
    from lepton_lab.training.restore import trained

    record = RunRecord(store, run_id)
    try:
        module, dataset = trained(record)
        write_formats(module, dataset, record.spec(), record.dir / FORMATS_FOLDER)
    except LeptonError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def compress_run(store: Store, run_id: str) -> int:
    """Makes and measures the variants that a finished run's `compression/spec.json` asks for; returns the exit status.

    One worker compresses a run at a time; a second one leaves at once.
    """
    from lepton_lab.compression.record import Table, compression_lock, write_table

    record = RunRecord(store, run_id)
    with compression_lock(record.dir) as is_mine:
        if not is_mine:
            return 0
        try:
            from lepton_lab.compression.job import compress

            compress(record)
        except Exception as error:
            traceback.print_exc()
            write_table(record.dir, Table(run_id, "failed", message=_said(error, "The compression")))
            return 1
    return 0


def _test_metrics(record: RunRecord) -> dict[str, float]:
    """What the report says of the test part, as the bundle carries it."""
    report = record.report()
    return (
        {f"test_{name}": report[name] for name in TEST_METRICS if isinstance(report.get(name), float)} if report else {}
    )


def _said(error: Exception, what: str = "The export") -> str:
    return str(error) if isinstance(error, LeptonError) else f"{what} failed: {error!r}"
