"""A worker without torch: it speaks the whole worker protocol and trains nothing.

Options of the run's model: `steps_per_epoch`, `step_seconds`, `checkpoint_every` (steps), `die_at` (step at which it
kills itself) and `die_times`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.checkpoints import checkpoint_bytes, latest_checkpoint, new_checkpoint
from lepton_lab.runs.control import done, pending_commands, wait_for_commands
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import redirect_output
from lepton_lab.runs.seat import take_seat

HEARTBEAT_SECONDS = 0.3


class Toy:
    """One run."""

    def __init__(self, store, run_id):
        self.store, self.dir = store, store.run_dir(run_id)
        spec = read_json(self.dir / "spec.json")
        self.options = {"steps_per_epoch": 10, "step_seconds": 0.005, "checkpoint_every": 5, **spec["model"]["options"]}
        self.steps_total = spec["train"]["epochs"] * self.options["steps_per_epoch"]
        self.rate, self.paused, self.stop, self.step = 0.1, False, None, 0
        self.heartbeat_at, self.preempted_for = 0.0, None

    def witness(self, word):
        fd = os.open(self.dir / "witness.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{word} {os.getpid()}\n".encode())
        os.close(fd)

    def look_for_others(self):
        """Writes down if another worker of this run is at work, which must never be."""
        path = self.dir / "witness.txt"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        ended = {pid for word, pid in lines if word == "end"}
        for pid in {pid for word, pid in lines if word == "begin"} - ended - {str(os.getpid())}:
            with contextlib.suppress(psutil.Error):
                other = psutil.Process(int(pid))
                if other.status() != psutil.STATUS_ZOMBIE and self.dir.name in other.cmdline():
                    self.witness("met")

    def note_broken(self, step, message):
        self.writer.append("CheckpointBroken", step=step, message=message)

    def work(self):
        with take_seat(self.dir) as self.writer:
            self.look_for_others()
            self.witness("begin")
            found = latest_checkpoint(
                self.dir, lambda step, said: self.writer.append("CheckpointBroken", step=step, message=said)
            )
            self.step = found[0] if found else 0
            self.writer.append(
                "RunStarted",
                device="cpu",
                steps_per_epoch=self.options["steps_per_epoch"],
                steps_total=self.steps_total,
                from_step=self.step,
            )
            try:
                self.train()
            except StoreError as error:
                self.writer.append("RunFailed", reason=error.reason, message=str(error), step=self.step)
            self.witness("end")

    def train(self):
        while self.step < self.steps_total and self.stop is None:
            self.listen()
            while self.paused and self.stop is None:
                wait_for_commands(self.dir, 0.2)
                self.listen()
            if self.stop is None:
                self.take_step()
        if self.preempted_for is not None:
            self.save()
            made_room = {"for": self.preempted_for}
            self.writer.append("RunPreempted", step=self.step, epoch=self.epoch, by=self.stop, **made_room)
        elif self.stop is not None:
            self.save()
            self.writer.append("RunStopped", step=self.step, epoch=self.epoch, by=self.stop)
        else:
            self.writer.append("RunFinished", step=self.step, epoch=self.epoch, seconds=1.0)

    @property
    def epoch(self):
        return self.step / self.options["steps_per_epoch"]

    def take_step(self):
        time.sleep(self.options["step_seconds"])  # the toy's arithmetic
        self.step += 1
        series = {"train_loss": {"step": [self.step], "value": [1 / self.step]}}
        self.writer.append("MetricsRecorded", series=series, step=self.step, epoch=self.epoch, learning_rate=self.rate)
        if self.step % self.options["steps_per_epoch"] == 0:
            self.writer.append("EpochEnded", epoch=int(self.epoch), step=self.step, **self.figures())
        if self.step % self.options["checkpoint_every"] == 0:
            self.save()
        if self.step == self.options.get("die_at") and self.deaths() < self.options.get("die_times", 1):
            print("this is the toy's last line", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    def figures(self):
        """What the validation part says after an epoch."""
        return {"val_accuracy": 0.5, "val_loss": 0.5}

    def deaths(self):
        lines = (self.dir / "witness.txt").read_text().splitlines()
        return sum(line.startswith("begin") for line in lines) - 1

    def save(self):
        with new_checkpoint(self.dir, self.step) as folder:
            (folder / "weights.bin").write_bytes(bytes(1000))
        size = checkpoint_bytes(self.dir / "checkpoints" / f"{self.step:010d}")
        self.writer.append("CheckpointSaved", step=self.step, bytes=size, is_best=False)

    def listen(self):
        if time.monotonic() - self.heartbeat_at > HEARTBEAT_SECONDS:
            self.heartbeat_at = time.monotonic()
            ensure_supervisor(self.store)
        for command in pending_commands(self.dir):
            if command["command"] == "stop" and self.options.get("deaf"):
                continue
            self.obey(command)

    def obey(self, command):
        kind, by = command["command"], command["by"]
        self.writer.append("CommandReceived", command=kind, value=command["value"], by=by, id=command["id"])
        if kind == "pause" and not self.paused:
            self.paused = True
            self.writer.append("RunPaused", step=self.step, by=by)
        elif kind == "resume" and self.paused:
            self.paused = False
            self.writer.append("RunResumed", step=self.step, by=by)
        elif kind == "set_learning_rate":
            self.writer.append("LearningRateChanged", step=self.step, old=self.rate, new=command["value"], by=by)
            self.rate = command["value"]
        elif kind == "checkpoint":
            self.save()
        elif kind == "preempt":
            self.stop, self.preempted_for = by, command["value"]
        elif kind == "stop":
            self.stop, self.preempted_for = by, None
            self.writer.append("RunStopping", by=by)
        done(self.dir, command["id"])


def main(kind=Toy):
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path)
    parser.add_argument("--run")
    parser.add_argument("--spare", action="store_true")
    options = parser.parse_args()
    store, run_id = Store(options.store), options.run
    if options.spare:
        (store.supervisor_dir / "spare.pid").write_text(str(os.getpid()))
        line = sys.stdin.readline()
        if not line:
            return
        run_id = json.loads(line)["run"]
        redirect_output(store.run_dir(run_id) / "worker.log")
    try:
        kind(store, run_id).work()
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(75)


if __name__ == "__main__":
    main()
