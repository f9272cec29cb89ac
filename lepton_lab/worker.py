"""The process that trains: `python -m lepton_lab.worker --store PATH JOB`.

JOB is `--run ID`, `--spare`, `--export ID`, `--replay ID` or `--compress ID`. A spare imports torch and the kernel,
warms them up without touching a GPU, and then waits for one line on its standard input,
`{"run": ID, "environment": {...}}`; when the input ends it goes. Whoever has a run takes its seat, trains, evaluates
the best weights on the test part, says `RunFinished` and then exports the bundle.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import LeptonError, RunError, StoreError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.copying import copied
from lepton_lab.runs.devices import GPU_SHARE_VARIABLE, check_devices
from lepton_lab.runs.early_stop import EarlyStop
from lepton_lab.runs.events import EventLog, EventWriter, RunBusy
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import redirect_output
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.seat import WORKER_LOG, take_seat
from lepton_lab.runs.states import RunState
from lepton_lab.specs.tasks import TASKS

if TYPE_CHECKING:
    from torch import nn

    from lepton_lab.data import PreparedDataset
    from lepton_lab.specs import RunSpec
    from lepton_lab.training.outcome import Outcome

SUPERVISOR_SECONDS = 2.0
CALM_SECONDS = 2.0
"""How long a spare waits for a job before it loads the exporter, during which it would not hear of one."""
BUNDLE_FOLDER = "bundle"
FORMATS_FOLDER = "formats"
TEST_METRICS = (
    *(task.metric for task in TASKS.values()), "loss", "precision_macro", "recall_macro", "f1_macro", "f1_micro", "r2",
    "ndcg", "map",
)  # fmt: skip
"""Figures of a report that a bundle carries."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the worker and returns its exit status: 0 when the run ended as it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.worker", description="Trains one run of a store.")
    parser.add_argument("--store", required=True, type=Path, help="folder of the run store")
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--run", metavar="ID", help="the run to work on")
    job.add_argument("--spare", action="store_true", help="warm up and wait for a run on standard input")
    job.add_argument("--export", metavar="ID", help="a finished run whose worker died before its bundle was written")
    job.add_argument("--replay", metavar="ID", help="a finished run to train again from a checkpoint, for comparison")
    parser.add_argument("--answer", type=Path, help="with --replay: the file for what came out")
    job.add_argument("--compress", metavar="ID", help="a finished run whose variants are wanted")
    job.add_argument("--formats", metavar="ID", help="a finished run whose network is wanted for other tools")
    options = parser.parse_args(arguments)
    _quiet_threads()
    store = Store(options.store)
    if options.replay:
        return replay_again(store, options.replay, options.answer)
    if options.export:
        return export_again(store, options.export)
    if options.formats:
        return write_formats_of(store, options.formats)
    if options.compress:
        return compress_run(store, options.compress)
    if not options.spare:
        return work(store, options.run)
    warm_up()
    if not _is_job_there(CALM_SECONDS):
        warm_up_export()
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    run_id = _take_job(json.loads(line))
    redirect_output(store.run_dir(run_id) / WORKER_LOG)
    return work(store, run_id)


def _quiet_threads() -> None:
    """Threads that wait must not spin; this has to be said before torch loads its thread libraries."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def warm_up() -> None:
    """Imports all that a run needs and takes one tiny step of each kind, on the CPU alone."""
    import torch

    import lepton_lab.data.loading
    import lepton_lab.evaluation.report
    import lepton_lab.training.loop  # noqa: F401
    from lepton_lab.models.registry import build
    from lepton_lab.specs import ModelSpec, Problem
    from lepton_lab.training.optimizers import AdamW

    torch.set_num_threads(1)
    problem = Problem("classification", "image", (1, 8, 8), (2,))
    for name in ("cnn", "rnn"):
        module = build(ModelSpec(name=name), problem)
        module(torch.zeros(4, 1, 8, 8)).sum().backward()
        AdamW(module.parameters(), 0.0).step(0.0)


def _is_job_there(seconds: float) -> bool:
    """Whether the spare gets its job, or its end, within so many seconds."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def warm_up_export() -> None:
    """Loads the exporter while the spare waits, so that a bundle exists soon after its run's end.

    Never beside a run: it draws random numbers and changes torch's settings for as long as it works, and a run that
    trains meanwhile is not the same a second time.
    """
    from lepton_lab.errors import MissingExtra
    from lepton_lab.serving.export import warm_up as load_exporter

    with suppress(MissingExtra, ImportError):
        load_exporter()


def _take_job(job: dict[str, Any]) -> str:
    """Takes over the variables that come with a spare's run (which GPU is its own) and returns the run's name."""
    os.environ.update(job.get("environment", {}))
    return str(job["run"])


def work(store: Store, run_id: str) -> int:
    """Does all that a run asks for; see `main` for the result."""
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
        _export(record, events, outcome.module, outcome.best_val_metric, dataset)
    return 0


def _batch_size(record: RunRecord, spec: RunSpec | None) -> int | None:
    """The rows of a step: as asked for, else as the plan chose them, where there is one yet."""
    if spec is None or spec.train.batch_size is not None:
        return spec.train.batch_size if spec else None
    try:
        return int(read_json(record.dir / "plan.json")["batch_size"])
    except (StoreError, KeyError, TypeError, ValueError):
        return None


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
    _export(record, events, module, events.fold.summary().best_val_metric, dataset)
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


def _export(
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


def _test_metrics(record: RunRecord) -> dict[str, float]:
    """What the report says of the test part, as the bundle carries it."""
    report = record.report()
    return (
        {f"test_{name}": report[name] for name in TEST_METRICS if isinstance(report.get(name), float)} if report else {}
    )


def _said(error: Exception, what: str = "The export") -> str:
    return str(error) if isinstance(error, LeptonError) else f"{what} failed: {error!r}"


if __name__ == "__main__":
    sys.exit(main())
