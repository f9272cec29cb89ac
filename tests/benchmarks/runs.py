"""What the durable record costs: lists, long curves, writing events, a day of them; how soon a command acts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.runs import EventLog, RunRecord, Store, create_run, list_runs, send_command
from lepton_lab.runs.atomic import Disk
from lepton_lab.runs.events import EventTail
from lepton_lab.runs.record import resume_run
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from tests.benchmarks import panel
from tests.benchmarks.rows import Row, row
from tests.benchmarks.stores import NUM_RUNS, SPEC, fill

NUM_POINTS = 1_000_000
DAY_SECONDS = 86_400.0


@contextmanager
def _store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as folder:
        yield Store(folder).prepare()


class _Unsynced(Disk):
    """A disk that is not waited for; the bytes are the same."""

    def fsync(self, fd: int) -> None:
        return


def listing(repeats: int = 9) -> list[Row]:
    """A store of 2,000 runs, each with the events of a finished run of 60 epochs."""
    with _store() as store:
        fill(store, NUM_RUNS)
        both = _Both()
        for _ in range(repeats):
            with both.timed():
                found = list_runs(store)
            assert len(found) == NUM_RUNS and found[0].state == "finished"
    return both.rows(f"{NUM_RUNS:,} runs listed", "< 0.3")


def long_curve(repeats: int = 5) -> list[Row]:
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
        both = _Both()
        for _ in range(repeats):
            with both.timed():
                header, buffer = RunRecord(store, run.run_id).curve().frame()
            assert sum(each["count"] for each in header["series"]) == NUM_POINTS and len(buffer) == 16 * NUM_POINTS
    return both.rows(f"a curve of {NUM_POINTS:,} points opened", "< 1.0")


class _Both:
    """What something takes by the clock, and of the processor: other programs beside it lengthen the first alone."""

    def __init__(self) -> None:
        self._clock: list[float] = []
        self._processor: list[float] = []

    @contextmanager
    def timed(self) -> Iterator[None]:
        began, used = time.perf_counter(), time.process_time()
        yield
        self._clock.append(time.perf_counter() - began)
        self._processor.append(time.process_time() - used)

    def rows(self, said: str, goal: str) -> list[Row]:
        """The medians as rows."""
        return [
            row("runs", f"{said}, seconds by the clock", self._clock, goal),
            row("runs", f"{said}, seconds of the processor", self._processor, goal),
        ]


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


def commands(repeats: int = 25) -> list[Row]:
    """From a command in the control folder to what it does, in a training of digits by the real worker.

    What a pause and a stop do is that no further step is taken; a checkpoint has been taken when it is on the disk.
    """
    from tests.benchmarks.spine import fresh_session

    seconds: dict[str, list[float]] = {}
    with fresh_session() as session:
        session.load_data("digits")
        session.select_model("cnn")
        record = session.current_model().train(epochs=100_000, wait=False).record
        events = _Followed(record.dir)
        events.until("EpochEnded")

        def ask(command: str, effect: str, value: Any = None) -> None:
            began = time.perf_counter()
            send_command(record.dir, command, value, by="bench")
            events.until(effect)
            seconds.setdefault(command, []).append(time.perf_counter() - began)

        for number in range(repeats):
            ask("set_learning_rate", "LearningRateChanged", 0.0005 + 1e-5 * (number % 7))
            ask("checkpoint", "CheckpointSaved")
            ask("pause", "RunPaused")
            ask("resume", "RunResumed")
            if number % 5 == 4:
                ask("stop", "RunStopping")
                began = time.perf_counter()
                events.until("RunStopped")
                seconds.setdefault("stopped, its checkpoint saved, after a stop", []).append(
                    seconds["stop"][-1] + time.perf_counter() - began
                )
                _until(lambda: record.summary().state == "stopped")
                resume_run(record.store, record.run_id, by="bench")
                events.until("MetricsRecorded")
    longest = {command: max(took) for command, took in seconds.items()}
    said = f"from a command to its effect, the longest of {sum(map(len, seconds.values()))}, seconds"
    every = [each for took in seconds.values() for each in took]
    return [
        row("runs", "from a command to its effect, median, seconds", every, "report"),
        row("runs", said, [max(longest.values())], "<= 1.0", **{k: round(v, 3) for k, v in longest.items()}),
    ]


class _Followed:
    """A run's events as they come."""

    def __init__(self, run_dir: Path) -> None:
        self._tail = EventTail(run_dir)
        self._left: list[str] = []

    def until(self, event_type: str) -> None:
        """Returns with the next event of this type that has not been waited for."""

        def has_come() -> bool:
            self._left += [event["type"] for event in self._tail.read()]
            if event_type not in self._left:
                return False
            del self._left[: self._left.index(event_type) + 1]
            return True

        _until(has_come)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("The run did not answer within 60 s.")
        time.sleep(0.005)


def measure() -> list[Row]:
    """All rows of the runs."""
    return [*listing(), *long_curve(), writing(), day(60, 4), day(1, 1), *commands(), *panel.measure()]


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    put(measure(), Path("bench.json"))
