"""What the durable record costs: lists, long curves, writing events, a day of them; how soon a command acts."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.runs import EventLog, RunRecord, Store, create_run, list_runs, send_command
from lepton_lab.runs.atomic import Disk
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from tests.benchmarks.rows import Row, row

NUM_RUNS, NUM_POINTS = 2000, 1_000_000
DAY_SECONDS = 86_400.0
SPEC = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec())


@contextmanager
def _store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as folder:
        yield Store(folder).prepare()


class _Unsynced(Disk):
    """A disk that is not waited for; the bytes are the same."""

    def fsync(self, fd: int) -> None:
        return


def listing(repeats: int = 5) -> Row:
    """A store of 2,000 runs, each with the events of a finished run of 60 epochs."""
    with _store() as store:
        run = create_run(store, SPEC)
        with EventLog.open_writer(run.dir) as writer:
            writer.append("RunStarted", steps_per_epoch=10, device="cpu", metric="accuracy")
            for epoch in range(1, 61):
                writer.append("EpochEnded", epoch=epoch, step=10 * epoch, val_accuracy=epoch / 60, val_loss=0.1)
            writer.append("RunFinished", step=600, epoch=60.0)
        for number in range(1, NUM_RUNS):
            copy = store.runs_dir / f"copy-{number}"
            copy.mkdir()
            for name in ("events.jsonl", "summary.json"):
                shutil.copy(run.dir / name, copy / name)
        seconds = []
        for _ in range(repeats):
            began = time.process_time()  # not the time that other programs on the machine take
            found = list_runs(store)
            seconds.append(time.process_time() - began)
            assert len(found) == NUM_RUNS and found[0].state == "finished"
    return row("runs", f"{NUM_RUNS:,} runs listed, seconds of the processor", seconds, "< 0.3")


def long_curve(repeats: int = 3) -> Row:
    """A run with a million points: from its files to the first frame, the bytes that a viewer is sent."""
    with _store() as store:
        run = create_run(store, SPEC)
        values = np.random.default_rng(0).random(NUM_POINTS // 2).round(6).tolist()
        with EventLog.open_writer(run.dir, disk=_Unsynced()) as writer:
            writer.append("RunStarted", steps_per_epoch=1000, from_step=0, metric="accuracy")
            for begin in range(0, NUM_POINTS // 2, 25):
                steps = list(range(begin + 1, begin + 26))
                points = {"step": steps, "value": values[begin : begin + 25]}
                series = {"train_loss": points, "train_accuracy": points}
                writer.append("MetricsRecorded", series=series, step=steps[-1], epoch=steps[-1] / 1000)
        seconds = []
        for _ in range(repeats):
            began = time.process_time()
            header, buffer = RunRecord(store, run.run_id).curve().frame()
            seconds.append(time.process_time() - began)
            assert sum(each["count"] for each in header["series"]) == NUM_POINTS and len(buffer) == 16 * NUM_POINTS
    return row("runs", f"a curve of {NUM_POINTS:,} points opened, seconds of the processor", seconds, "< 1.0")


class _Timed:
    """A run's writer, with the processor time that it takes."""

    def __init__(self, writer: Any) -> None:
        self._writer, self.seconds = writer, 0.0

    def append(self, event_type: str, /, **fields: Any) -> int:
        began = time.thread_time()
        try:
            return int(self._writer.append(event_type, **fields))
        finally:
            self.seconds += time.thread_time() - began

    def flush(self) -> None:
        began = time.thread_time()
        self._writer.flush()
        self.seconds += time.thread_time() - began


class _Nobody:
    """Gives no commands."""

    def pending(self) -> list[Any]:
        return []

    def done(self, command_id: str) -> None:
        return

    def wait(self, timeout_seconds: float) -> None:
        return


def writing(repeats: int = 3) -> Row:
    """Processor time in writing events, as a share of all processor time of a training of digits."""
    from lepton_lab.data import load
    from lepton_lab.training.loop import train

    shares = []
    with _store() as store:
        dataset = load(DataSpec(), store)
        for number in range(repeats):
            folder = store.runs_dir / f"run-{number}"
            folder.mkdir()
            with EventLog.open_writer(folder) as writer:
                writer.append("RunQueued", run_id=folder.name)
                writer.append("RunStarting")
                events, began = _Timed(writer), time.process_time()
                options = TrainSpec(epochs=20, threads=1)
                train(folder, dataset, ModelSpec(), options, events=events, control=_Nobody())
                shares.append(100 * events.seconds / (time.process_time() - began))
    return row("runs", "writing events, per cent of the training's processor time (digits cnn)", shares, "< 1.0")


def day(epoch_seconds: int, steps_per_second: int) -> Row:
    """The events of a run of 24 hours: the loop's own writers of progress and epochs, driven by a simulated clock."""
    import torch

    from lepton_lab.data.targets import Target
    from lepton_lab.specs import Problem
    from lepton_lab.training.epochs import EpochLog
    from lepton_lab.training.meter import Meter
    from lepton_lab.training.metrics import metric_for
    from lepton_lab.training.progress import Progress

    metric = metric_for(Problem("classification", "table", (3,), (3,)), Target("classification"))
    loss, scores, labels = torch.tensor(0.123456), torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    sample = {"row": 100, "truth": "trousers", "prediction": "ankle boot", "confidence": 0.987654}
    now, num_steps = 0.0, int(DAY_SECONDS * steps_per_second)
    with _store() as store:
        folder = store.runs_dir / "day"
        folder.mkdir()
        with EventLog.open_writer(folder, disk=_Unsynced(), monotonic=lambda: now) as writer:
            writer.append("RunQueued", run_id="day")
            writer.append("RunStarting")
            writer.append("RunStarted", steps_per_epoch=epoch_seconds * steps_per_second, steps_total=num_steps)
            meter, epochs = Meter(128, torch.device("cpu"), metric), EpochLog(writer)
            progress = Progress(writer, meter, epoch_seconds * steps_per_second, num_steps, 128)
            progress.resume(0.0, 0)
            for step in range(1, num_steps + 1):
                now = step / steps_per_second
                meter.push(loss, scores, labels, 1)
                epoch, rest = divmod(step, epoch_seconds * steps_per_second)
                if not rest:
                    progress.write(now, step, 0.001, whole=True)
                    train_loss, train_accuracy = meter.take_epoch()
                    figures = {"train_loss": train_loss, "train_accuracy": train_accuracy, "is_best": False}
                    figures |= {"val_loss": 1 / (epoch + 2), "val_accuracy": epoch / 100_003}
                    epochs.add(now, progress.pace(now), [sample] * 8, epoch=epoch, step=step, **figures)
                elif now >= progress.next_time:
                    progress.write(now, step, 0.001)
            epochs.finish()
        megabytes = (folder / "events.jsonl").stat().st_size / 1e6
        num_epochs = len(RunRecord(store, "day").curve().series["val_accuracy"])
    assert num_epochs == DAY_SECONDS // epoch_seconds  # none is left out of the curve
    said = f"events of a run of 24 hours, {num_epochs:,} epochs of {epoch_seconds} s (simulated clock), MB"
    return row("runs", said, [megabytes], "< 20")


def commands(repeats: int = 5) -> list[Row]:
    """From a command in the control folder to what it does, in a training of digits by the real worker."""
    from tests.benchmarks.spine import fresh_session

    seconds: list[float] = []
    with fresh_session() as session:
        session.load_data("digits")
        session.select_model("cnn")
        run = session.current_model().train(epochs=2000, wait=False)
        record = run.record
        _until(lambda: record.summary().state == "running" and record.summary().epoch > 0)
        for _ in range(repeats):
            for command, value, effect in (
                ("set_learning_rate", 0.0005, "LearningRateChanged"),
                ("checkpoint", None, "CheckpointSaved"),
                ("pause", None, "RunPaused"),
                ("resume", None, "RunResumed"),
            ):
                before = sum(event["type"] == effect for event in record.events())
                began = time.perf_counter()
                send_command(record.dir, command, value, by="bench")
                _until(lambda n=before, e=effect: sum(event["type"] == e for event in record.events()) > n)
                seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        send_command(record.dir, "stop", by="bench")
        _until(lambda: record.summary().state == "stopped")
        seconds.append(time.perf_counter() - began)
    return [
        row("runs", "pause, resume, rate, checkpoint, stop: seconds until done, median", seconds, "report"),
        row("runs", "pause, resume, rate, checkpoint, stop: seconds until done, the longest", [max(seconds)], "<= 1.0"),
    ]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("The run did not answer within 60 s.")
        time.sleep(0.005)


def measure() -> list[Row]:
    """All rows of the runs."""
    return [listing(), long_curve(), writing(), day(60, 4), day(1, 1), *commands()]


if __name__ == "__main__":
    from tests.benchmarks.rows import write

    write(measure(), Path("bench-runs.json"))
