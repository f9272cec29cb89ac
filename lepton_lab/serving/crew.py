"""Several processes for one endpoint: the first one leads, the others answer on the same socket.

The leader holds the endpoint's lock, listens, writes `process.json`, and starts helpers that inherit the socket. A
helper follows the record as the leader does, adds to the same accounts, and leaves when the leader's end of its
standard input closes, however the leader ended. What each process counts lies in `crew/<number>.json`; whoever is
asked for metrics adds them up, so that the answer is the endpoint's whichever process gives it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.process import python_command, read_identity
from lepton_lab.serving.drift import Drift
from lepton_lab.serving.metrics import Metrics

log = logging.getLogger("lepton_lab.serving")

LEAVE_SECONDS = 12.0
RESTART_SECONDS = 1.0
"""Shortest time from one start of a helper to the next."""


class Notes:
    """What each process of an endpoint says of itself.

    Args:
        folder: The endpoint's folder.
        number: This process's own number; 0 is the leader.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self._folder = folder / "crew"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if number == 0:
            for path in self._folder.glob("*.json"):  # of processes before this one
                path.unlink(missing_ok=True)

    def write(self, metrics: Metrics, version: int, drift: Drift | None) -> None:
        """Leaves this process's figures."""
        values: dict[str, Any] = {"pid": os.getpid(), "version": version, "metrics": metrics.to_dict()}
        if drift is not None:
            values["drift"] = drift.sums()
        write_json(self._folder / f"{self.number}.json", values, durable=False)

    def versions(self) -> dict[int, tuple[int, int]]:
        """The process and the version in service of each helper, by its number."""
        return {number: (values["pid"], values["version"]) for number, values in self._others().items()}

    def total(self, own: Metrics) -> Metrics:
        """This process's figures and those that the others have left, added up."""
        total = own.copy()
        for values in self._others().values():
            total.add(values["metrics"])
        return total

    def drift(self, own: Drift, version: int) -> Drift:
        """What this process and the others have seen while they answered with a version."""
        others = self._others().values()
        return own.joined(each["drift"] for each in others if each["version"] == version and "drift" in each)

    def _others(self) -> dict[int, dict[str, Any]]:
        found = {}
        for path in self._folder.glob("*.json"):
            values = read_identity(path)
            if path.stem.isdigit() and int(path.stem) != self.number and values and "metrics" in values:
                found[int(path.stem)] = values
        return found


class Crew:
    """The leader's hand on its helpers.

    Args:
        store: Root of the run store.
        name: The endpoint.
        socket: File descriptor of the listening socket.
        num_processes: All processes, the leader among them.
        notes: What helpers say.
    """

    def __init__(self, store: Path, name: str, socket: int, num_processes: int, notes: Notes) -> None:
        self._argv = python_command("lepton_lab.serving.helper", "--store", str(store), "--name", name)
        self._socket, self._notes = socket, notes
        self._helpers: dict[int, subprocess.Popen[bytes]] = {}
        self._started: dict[int, float] = {}
        self._numbers = range(1, num_processes)

    def keep(self) -> None:
        """Starts helpers that are not there."""
        now = time.monotonic()
        for number in self._numbers:
            helper = self._helpers.get(number)
            if helper is not None and helper.poll() is None:
                continue
            if now - self._started.get(number, -RESTART_SECONDS) < RESTART_SECONDS:
                continue
            if helper is not None:
                log.warning("helper %d has ended; another one is started", number)
            self._started[number] = now
            self._helpers[number] = subprocess.Popen(
                [*self._argv, "--number", str(number), "--socket", str(self._socket)],
                stdin=subprocess.PIPE,
                pass_fds=(self._socket,),
            )

    def is_at(self, version: int) -> bool:
        """Whether every helper that answers does so with this version."""
        said = self._notes.versions()
        alive = {number: helper.pid for number, helper in self._helpers.items() if helper.poll() is None}
        return all(said[n][1] == version for n, pid in alive.items() if n in said and said[n][0] == pid)

    def dismiss(self) -> None:
        """Lets the helpers answer what they have accepted, and waits for them."""
        for helper in self._helpers.values():
            if helper.stdin is not None:
                helper.stdin.close()
        deadline = time.monotonic() + LEAVE_SECONDS
        for helper in self._helpers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(max(0.0, deadline - time.monotonic()))
                continue
            helper.kill()
            helper.wait()


def auto_processes(threads: int = 1, num_cores: int | None = None) -> int:
    """Processes for an endpoint on this machine: one for every two cores, as each runs a network beside its sockets.

    A network that runs on one thread gets two processes on two cores already: they answer 1.6 times the requests.
    """
    cores = num_cores or os.cpu_count() or 1
    return max(1, min(8, cores // max(2, threads)), min(2, cores // threads))
