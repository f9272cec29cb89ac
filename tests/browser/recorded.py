"""A store whose runs and endpoint say the same each time, for pictures of whole pages: their clock stands still."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat.sign import NotebookNotary

from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.events import EventLog, EventWriter
from lepton_lab.runs.labels import tag_run
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.session import Host, Session
from lepton_lab.specs import RunSpec
from lepton_lab.widgets.display import bundle
from tests.browser.servers import Server

NOON = 1741521600.0
"""When all of it happened, in unix seconds: of an earlier year, which a page therefore writes."""
STEPS_PER_EPOCH, POINTS_PER_EPOCH = 20, 10
SECONDS_PER_EPOCH = 0.2


class Clock:
    """Durations as a training of this speed would have them, whatever the machine."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def accuracy(epoch: float, part: str) -> float:
    """A figure that grows as in a training, with its small unrest."""
    unrest = 0.02 * math.sin(epoch * (9 if part == "train" else 2.3)) / (1 + epoch / 3)
    return round(min(1.0, 0.985 - 0.8 * math.exp(-epoch / 2.2) + unrest), 4)


@contextlib.contextmanager
def recording(store: Store, name: str, *, epochs: int, done: int, **spec: Any) -> Iterator[EventWriter]:
    """A run that has trained for so many epochs; it counts as running for as long as the context is open."""
    train = {"epochs": epochs, "learning_rate": 0.01, **spec.pop("train", {})}
    options = {"data": {"name": "digits"}, "model": {"name": "cnn"}, **spec, "train": train}
    run = create_run(store, RunSpec.parse(options), name=name, user="ada")
    clock = Clock()
    with EventLog.open_writer(run.dir, monotonic=clock, wall=lambda: NOON + clock.seconds) as writer:
        total = epochs * STEPS_PER_EPOCH
        started = {"steps_per_epoch": STEPS_PER_EPOCH, "steps_total": total, "learning_rate": 0.01, "from_step": 0}
        writer.append("RunStarted", device="cpu", num_parameters=25_000, **started)
        for epoch in range(1, done + 1):
            clock.seconds += SECONDS_PER_EPOCH
            _record_epoch(writer, epoch, total)
        yield writer


def _record_epoch(writer: EventWriter, epoch: int, total: int) -> None:
    """What a worker writes in an epoch."""
    last = epoch * STEPS_PER_EPOCH
    each = STEPS_PER_EPOCH // POINTS_PER_EPOCH
    steps = list(range(last - STEPS_PER_EPOCH + each, last + 1, each))
    trained = [accuracy(step / STEPS_PER_EPOCH, "train") for step in steps]
    values = {"train_accuracy": trained, "train_loss": [round(1.3 * (1.01 - value), 4) for value in trained]}
    left = round((total - last) / STEPS_PER_EPOCH * SECONDS_PER_EPOCH, 2)
    series = {name: {"step": steps, "value": points} for name, points in values.items()}
    now = {"step": last, "epoch": float(epoch), "samples_per_second": 6400.0, "seconds_left": left}
    writer.append("MetricsRecorded", series=series, learning_rate=0.01, waiting_fraction=0.0, **now)
    validated = accuracy(epoch, "val")
    figures = {"val_accuracy": validated, "val_loss": round(1.2 * (1.0 - validated), 4)}
    writer.append("EpochEnded", epoch=epoch, step=last, train_accuracy=trained[-1], **figures)


def record_finished(store: Store, name: str, *, epochs: int = 8, **spec: Any) -> RunRecord:
    """The record of a run that has ended well, without its weights."""
    with recording(store, name, epochs=epochs, done=epochs, **spec) as writer:
        best = accuracy(epochs, "val")
        writer.append("RunFinished", step=epochs * STEPS_PER_EPOCH, epoch=epochs, best_val_accuracy=best, seconds=1.6)
    return RunRecord(store, name)


def record_deployable(store: Store) -> RunRecord:
    """The record of a finished run with a network, whose answers hardly hang on the machine, and its real report."""
    import numpy as np
    import torch

    from lepton_lab.evaluation.report import evaluate
    from lepton_lab.serving.export import export_bundle

    dataset = Session(store, Host(), who="ada").load_data("digits").prepared
    run = record_finished(store, "digits-linear-1", model={"name": "linear"})
    part = dataset.splits["train"]
    inputs = torch.from_numpy(dataset.preparation.apply(np.asarray(part.inputs))).flatten(1)
    labels = torch.nn.functional.one_hot(torch.from_numpy(np.array(part.labels))).float()
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(inputs.shape[1], labels.shape[1]))
    with torch.no_grad():
        # Ridge regression in float64: one way to the weights, and no randomness in it.
        rows = torch.cat([inputs, torch.ones(len(inputs), 1)], 1).double()
        weights = torch.linalg.solve(rows.T @ rows + torch.eye(rows.shape[1]).double(), rows.T @ labels.double())
        network[1].weight.copy_(8 * weights[:-1].T)
        network[1].bias.copy_(8 * weights[-1])
    report = evaluate(network, dataset, run_id=run.run_id)
    write_json(run.dir / "report.json", {**report, "seconds": 0.1})
    described = {"run_id": run.run_id, "model": "linear", "metrics": {"test_accuracy": report["accuracy"]}}
    export_bundle(network, dataset, described, run.dir / "bundle")
    return run


def record_all(store: Store) -> None:
    """Runs that have ended in several ways, one of them with a network."""
    from lepton_lab.training.failures import not_finite

    run = record_deployable(store)
    tag_run(run.dir, ["baseline"], by="ada")
    record_finished(store, "digits-cnn-1", epochs=16)
    with recording(store, "digits-cnn-2", epochs=16, done=3) as writer:
        writer.append("RunStopped", step=60, epoch=3)
    failed = not_finite("the training loss became nan", step=41, epoch=2.05, rate=0.01, saved_step=40)
    with recording(store, "digits-cnn-3", epochs=16, done=2) as writer:
        writer.append("RunFailed", reason=failed.reason, message=str(failed), step=41)


def write_notebook(server: Server, store: Store, run_id: str, *, trusted: bool = False) -> str:
    """A notebook as it was saved after a training: a run's curve and the card of its data.

    Args:
        server: Where it will lie.
        store: Where the run is.
        run_id: The run.
        trusted: Whether it was run on this server, so that its HTML is shown as it is.

    Returns:
        Its path there.
    """
    session = Session(store, Host(), who="ada")
    outputs = {f"%lepton run {run_id}": session.run(run_id), "%lepton data digits": session.load_data("digits")}
    cells = [nbformat.v4.new_markdown_cell("# Digits\n\nThe first network, and what it learns from.")]
    for source, shown in outputs.items():
        output = nbformat.v4.new_output("execute_result", bundle(shown), execution_count=1)
        cells.append(nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    path = server.folder / "notebooks" / "digits.ipynb"
    nbformat.write(notebook, path)
    if trusted:
        NotebookNotary(data_dir=server.env["JUPYTER_DATA_DIR"]).sign(nbformat.read(path, nbformat.NO_CONVERT))
    return path.name


@contextlib.contextmanager
def at_work(store: Store) -> Iterator[RunRecord]:
    """A run that is in its tenth epoch until the context ends; then it is gone."""
    run = RunRecord(store, "digits-cnn-4")
    try:
        with recording(store, run.run_id, epochs=16, done=9):
            yield run
    finally:
        shutil.rmtree(run.dir)
