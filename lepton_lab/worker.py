"""The process that trains: `python -m lepton_lab.worker --store PATH (--run ID | --spare)`.

A spare imports torch and the kernel, warms them up without touching a GPU, and then waits for one line on its
standard input, `{"run": ID, "environment": {...}}`; when the input ends it goes. Whoever has a run takes its seat,
trains, evaluates the best weights on the test part, says `RunFinished` and then exports the bundle.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import LeptonError, RunError, StoreError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.control import done, pending_commands, wait_for_commands
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import redirect_output
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.seat import WORKER_LOG, take_seat

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset
    from lepton_lab.specs import RunSpec
    from lepton_lab.training.loop import Outcome
    from lepton_lab.training.steering import Command

SUPERVISOR_SECONDS = 2.0
BUNDLE_FOLDER = "bundle"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the worker and returns its exit status: 0 when the run ended as it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.worker", description="Trains one run of a store.")
    parser.add_argument("--store", required=True, type=Path, help="folder of the run store")
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--run", metavar="ID", help="the run to work on")
    job.add_argument("--spare", action="store_true", help="warm up and wait for a run on standard input")
    options = parser.parse_args(arguments)
    _quiet_threads()
    store = Store(options.store)
    if not options.spare:
        return work(store, options.run)
    warm_up()
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
    from lepton_lab.specs import ModelSpec
    from lepton_lab.training.optimizers import AdamW

    torch.set_num_threads(1)
    for name in ("cnn", "rnn"):
        module = build(ModelSpec(name=name), (1, 8, 8), 2)
        module(torch.zeros(4, 1, 8, 8)).sum().backward()
        AdamW(module.parameters(), 0.0).step(0.0)


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
    with events, _supervised(store):
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
        failed = as_run_failed(error, batch_size=spec.train.batch_size if spec else None, own_network=own_network)
        events.append("RunFailed", reason=failed.reason, message=str(failed), step=events.fold.summary().step)
        return 1
    if finished is not None:
        _export(record, events, *finished)
    return 0


def _train(
    record: RunRecord, spec: RunSpec, events: EventWriter
) -> tuple[Outcome, PreparedDataset, dict[str, Any] | None] | None:
    """Trains and evaluates; None when somebody stopped the run."""
    from lepton_lab.data import load
    from lepton_lab.training.loop import train

    dataset = load(spec.data, record.store)
    dataset.require_trainable()
    control = RunControl(record.dir)
    outcome = train(record.dir, dataset, spec.model, spec.train, events=events, control=control)
    if outcome.state == "stopped":
        return None
    report = _evaluate(record, events, outcome, dataset)
    events.append(
        "RunFinished",
        step=outcome.step,
        epoch=outcome.epoch,
        best_val_accuracy=outcome.best_val_accuracy,
        seconds=round(outcome.seconds, 3),
    )
    return outcome, dataset, report


def _evaluate(
    record: RunRecord, events: EventWriter, outcome: Outcome, dataset: PreparedDataset
) -> dict[str, Any] | None:
    """Writes the report on the test part; None where the dataset has none."""
    from lepton_lab.evaluation.report import evaluate

    if not len(dataset.splits["test"]):
        events.append("WarningRaised", message="There is no test part, so there is no report; raise test_fraction.")
        return None
    report = evaluate(outcome.module, dataset, run_id=record.run_id)
    write_json(record.dir / "report.json", report)
    events.append("ReportWritten", test_accuracy=report["accuracy"], test_rows=report["rows"])
    return report


def _export(
    record: RunRecord,
    events: EventWriter,
    outcome: Outcome,
    dataset: PreparedDataset,
    report: dict[str, Any] | None,
) -> None:
    """Writes the bundle; a run that cannot be exported stays finished and says why."""
    began = time.monotonic()
    measured = ("accuracy", "loss", "precision_macro", "recall_macro", "f1_macro")
    metrics = {f"test_{name}": report[name] for name in measured} if report else {}
    info = {
        "run_id": record.run_id,
        "name": record.run_id,
        "model": record.spec().model.name,
        "metrics": {**metrics, "val_accuracy": outcome.best_val_accuracy},
    }
    folder = record.dir / BUNDLE_FOLDER
    try:
        from lepton_lab.serving.export import export_bundle

        export_bundle(outcome.module.cpu(), dataset, info, folder)
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, LeptonError) else f"The export failed: {error!r}"
        events.append("BundleFailed", message=message)
        return
    num_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    events.append("BundleWritten", bytes=num_bytes, seconds=round(time.monotonic() - began, 3))


class RunControl:
    """A run's commands, as the training loop takes them.

    Args:
        run_dir: The run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def pending(self) -> list[Command]:
        """Commands that nobody has marked as done, oldest first."""
        from lepton_lab.training.steering import Command

        return [
            Command(each["id"], each["command"], each.get("value"), str(each.get("by", "")))
            for each in pending_commands(self._run_dir)
        ]

    def done(self, command_id: str) -> None:
        """Marks a command as done."""
        done(self._run_dir, command_id)

    def wait(self, timeout_seconds: float) -> None:
        """Returns when a command has come, or after the timeout."""
        wait_for_commands(self._run_dir, timeout_seconds)


if __name__ == "__main__":
    sys.exit(main())
