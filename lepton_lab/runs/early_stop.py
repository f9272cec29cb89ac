"""A stop that comes while a worker loads data or builds the network, when there are no steps to look between."""

from __future__ import annotations

import os
import signal
import sys
import threading

from lepton_lab.errors import LeptonError
from lepton_lab.runs.control import done, forget_commands, pending_commands
from lepton_lab.runs.events import EventWriter

LOOK_SECONDS = 0.1


class EarlyStop:
    """Ends the worker's process when somebody stops its run before the training takes commands itself.

    Nothing is lost: no step has been taken since the last checkpoint, and prepared data is written whole or not at
    all. Loading is not asked to end, because it may be deep in a library; the process and its helpers are killed.

    Args:
        events: The run's writer.
    """

    def __init__(self, events: EventWriter) -> None:
        self._events, self._over = events, threading.Event()
        self._mutex = threading.Lock()
        threading.Thread(target=self._watch, name="early-stop", daemon=True).start()

    def end(self) -> None:
        """From now on the training takes the commands; safe to repeat."""
        if not self._over.is_set():
            with self._mutex:
                self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                with self._mutex:
                    if not self._over.is_set() and self._stop():
                        _leave()
            except LeptonError as error:
                print(f"early stop: {error}", file=sys.stderr)

    def _stop(self) -> bool:
        run_dir = self._events.run_dir
        stops = [each for each in pending_commands(run_dir) if each["command"] == "stop"]
        if not stops:
            return False
        for each in stops:
            self._events.append("CommandReceived", command="stop", value=each["value"], by=each["by"], id=each["id"])
        summary = self._events.fold.summary()
        self._events.append("RunStopped", step=summary.step, epoch=summary.epoch, by=stops[0]["by"])
        for each in stops:
            done(run_dir, each["id"])
        forget_commands(run_dir)
        return True


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.getpgid(0) == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)  # with the processes that prepare data
    os._exit(0)
