"""A lab for the supervisor: a store whose workers are toys, and the patience to watch them."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

from lepton_lab.runs import submit
from lepton_lab.runs.process import alive, read_identity
from lepton_lab.runs.queue import Queue
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec


def wait_until(condition, what, seconds=30.0):
    """Waits for a condition that no event announces, and says which one it was if it never comes true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)
    return value


def overlapping(run):
    """Whether two of the run's toy workers were ever at work at the same time: each looks for others as it begins."""
    return any(line.startswith("met") for line in (run.dir / "witness.txt").read_text().splitlines())


def repeated_intervals(run, *, checkpoint_every):
    """The most work that one restart had to repeat, in checkpoint intervals."""
    reached, worst = 0, 0.0
    for event in run.events():
        if event["type"] == "MetricsRecorded":
            reached = event["step"]
        elif event["type"] == "RunStarted":
            worst = max(worst, (reached - event["from_step"]) / checkpoint_every)
            reached = event["from_step"]
    return worst


class Lab:
    """A store with toy workers: submits, waits, kills, and looks for the processes of this store alone."""

    def __init__(self, store):
        self.store = store

    def submit(self, *, epochs=2, max_restarts=2, name=None, priority=0, devices=1, **options):
        model = ModelSpec(name="toy", source="pass", class_name="Toy", options=options)
        train = TrainSpec(epochs=epochs, max_restarts=max_restarts, priority=priority, devices=devices)
        return submit(self.store, RunSpec(data=DataSpec(name="toys"), model=model, train=train), name=name)

    def wait(self, run, *states, seconds=30.0):
        def reached():
            summary = run.summary()
            return summary if summary.state in states else None

        try:
            return wait_until(reached, f"{run.run_id} to be {' or '.join(states)}", seconds)
        except AssertionError as error:
            log = self.store.supervisor_log.read_text() if self.store.supervisor_log.exists() else ""
            raise AssertionError(f"{error}; it is {run.summary()}\n{log}") from None

    def wait_idle(self):
        wait_until(lambda: not Queue(self.store).entries(), "an empty queue")

    def wait_step(self, run, step):
        wait_until(lambda: run.summary().step >= step, f"step {step}")

    def supervisor(self):
        process = read_identity(self.store.supervisor_json)
        return process if alive(process) else None

    def wait_supervisor(self, other_than=None):
        def found():
            process = self.supervisor()
            return process if process and process["pid"] != other_than else None

        return wait_until(found, "a supervisor")

    def kill_supervisor(self):
        process = self.wait_supervisor()
        os.kill(process["pid"], signal.SIGKILL)
        wait_until(lambda: not alive(process), "the supervisor's death")
        return process["pid"]

    def known_worker(self, run):
        return read_identity(run.dir / "worker.json")

    def worker(self, run):
        return wait_until(lambda: read_identity(run.dir / "worker.json"), "a worker")

    def events(self, run, *types):
        return [event for event in run.events() if event["type"] in types]

    def steps(self, run):
        return list(run.curve().series["train_loss"].steps)

    def processes(self, word=""):
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if str(self.store.root) in line and any(word in part for part in line):
                    found.append(process)
        return found

    def close(self):
        """Ends everybody of this store; a zombie is gone, however long its parent takes to notice."""

        def nobody_is_left():
            found = self.processes()
            for process in found:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            return not found

        wait_until(nobody_is_left, "everybody's end")
