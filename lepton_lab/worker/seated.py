"""A run in its worker: takes the seat, trains, evaluates the best weights on the test part, says `RunFinished`, and
then has the bundle written.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.copying import copied
from lepton_lab.runs.devices import GPU_SHARE_VARIABLE, check_devices
from lepton_lab.runs.early_stop import EarlyStop
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.seat import take_seat
from lepton_lab.worker.afterwards import export

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset
    from lepton_lab.specs import RunSpec
    from lepton_lab.training.outcome import Outcome

SUPERVISOR_SECONDS = 2.0


def work(store: Store, run_id: str) -> int:
    """Does all that a run asks for; returns 0 when the run ended as it should, 1 when it failed."""
    record = RunRecord(store, run_id)
    try:
        events = take_seat(record.dir)
    except RunError as refusal:
        print(refusal, file=sys.stderr)
        return 1
    with events, _supervised(store), copied(store, events):
        return _attempt(record, events)


@contextmanager
def _supervised(store: Store) -> Iterator[None]:
    """Sees to it, from a thread, that a supervisor lives as long as this worker does."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                ensure_supervisor(store)
            except StoreError as error:
                print(f"no supervisor: {error}", file=sys.stderr)
            over.wait(SUPERVISOR_SECONDS)

    thread = threading.Thread(target=look, name="supervisor-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _attempt(record: RunRecord, events: EventWriter) -> int:
    """Trains and evaluates; a failure becomes the run's last event."""
    spec = None
    try:
        spec = record.spec()
        finished = _train(record, spec, events)
    except Exception as error:
        traceback.print_exc()
        from lepton_lab.training.failures import as_run_failed

        own_network = spec is not None and spec.model.source is not None
        failed = as_run_failed(error, batch_size=_batch_size(record, spec), own_network=own_network)
        events.append("RunFailed", reason=failed.reason, message=str(failed), step=events.fold.summary().step)
        return 1
    if finished is not None:
        outcome, dataset = finished
        export(record, events, outcome.module, outcome.best_val_metric, dataset)
    return 0


def _batch_size(record: RunRecord, spec: RunSpec | None) -> int | None:
    """The rows of a step: as asked for, else as the plan chose them, where there is one yet."""
    if spec is None or spec.train.batch_size is not None:
        return spec.train.batch_size if spec else None
    try:
        return int(read_json(record.dir / "plan.json")["batch_size"])
    except (StoreError, KeyError, TypeError, ValueError):
        return None


def _train(record: RunRecord, spec: RunSpec, events: EventWriter) -> tuple[Outcome, PreparedDataset] | None:
    """Trains and evaluates; None when somebody stopped the run."""
    from lepton_lab.data import load
    from lepton_lab.training.commands import RunControl
    from lepton_lab.training.ending import Ending, StoppedAtTheEnd
    from lepton_lab.training.loop import train

    if spec.train.devices == 1:
        _keep_to_share()
    early = EarlyStop(events)
    try:
        dataset = load(spec.data, record.store)
        dataset.require_trainable()
        control = RunControl(record.dir, early)
        outcome = None
        if spec.train.cluster is not None:
            outcome = _train_on_cluster(record, spec, events, dataset, early)
        elif spec.train.devices > 1:
            outcome = _train_together(record, spec, events, dataset, early)
        if outcome is None:
            outcome = train(record.dir, dataset, spec.model, spec.train, events=events, control=control)
    finally:
        early.end()
    if outcome.state == "stopped":
        return None
    try:
        _evaluate(record, events, outcome, dataset, Ending(control, events, outcome.step))
    except StoppedAtTheEnd as stop:
        events.append(stop.event, step=outcome.step, epoch=outcome.epoch, **stop.said)
        return None
    events.append(
        "RunFinished",
        step=outcome.step,
        epoch=outcome.epoch,
        **{f"best_val_{outcome.metric}": outcome.best_val_metric},
        seconds=round(outcome.seconds, 3),
    )
    return outcome, dataset


def _train_together(
    record: RunRecord, spec: RunSpec, events: EventWriter, dataset: PreparedDataset, early: EarlyStop
) -> Outcome | None:
    """Trains on several processes; None where one is as fast."""
    from lepton_lab.scaling.together import train_together

    check_devices(spec.train.devices, spec.train.device)
    early.end()
    data = (spec.data, record.store.root)
    return train_together(record.dir, dataset, spec.model, spec.train, events=events, data=data)


def _train_on_cluster(
    record: RunRecord, spec: RunSpec, events: EventWriter, dataset: PreparedDataset, early: EarlyStop
) -> Outcome:
    """Trains on a Ray cluster; this process keeps the record."""
    from lepton_lab.scaling.cluster import train_on_cluster

    store = record.store.root
    return train_on_cluster(record.dir, dataset, spec.model, spec.train, events=events, early=early, store=store)


def _keep_to_share() -> None:
    """Where the run has a share of a GPU, it may take that share of its memory and no more."""
    share = os.environ.get(GPU_SHARE_VARIABLE)
    if share is None:
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(float(share))


def _evaluate(
    record: RunRecord, events: EventWriter, outcome: Outcome, dataset: PreparedDataset, between: Callable[[], None]
) -> None:
    """Writes the report on the test part; says so where the dataset has none."""
    from lepton_lab.evaluation.report import evaluate

    if not len(dataset.splits["test"]):
        events.append("WarningRaised", message="There is no test part, so there is no report; raise test_fraction.")
        return
    report = evaluate(outcome.module, dataset, run_id=record.run_id, between=between)
    write_json(record.dir / "report.json", report)
    figures = {f"test_{report['metric']}": report[report["metric"]]}
    events.append("ReportWritten", **figures, test_rows=report["rows"])
