"""The warm spare: a worker with its imports done, waiting on its stdin for the name of a run."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable

from lepton_lab.runs.devices import slot_environment
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import exit_code, spawn_detached
from lepton_lab.runs.programs import Programs

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 300.0
_LEAVE_SECONDS = 2.0


class Spare:
    """Keeps at most one spare worker.

    Args:
        store: The store.
        programs: How to start one.
        clock: Monotonic seconds.
    """

    def __init__(self, store: Store, programs: Programs, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._programs, self._clock = store, programs, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before, self._pause_seconds = 0.0, _FIRST_PAUSE_SECONDS
        self.wanted = False
        """Whether anybody has asked for warm starts."""

    @property
    def is_missing(self) -> bool:
        """Whether one is wanted, not there, and may be started now."""
        self._look()
        return self.wanted and self._process is None and self._clock() >= self._not_before

    def restock(self) -> None:
        """Starts one.

        Raises:
            OSError: If the system does not let it start.
        """
        env = {**os.environ, **slot_environment("cpu:0")}
        log = self._store.supervisor_dir / "spare.log"
        self._process = spawn_detached(
            self._programs.spare(self._store), log, cwd=self._store.root, env=env, piped=True
        )

    def take(self) -> subprocess.Popen[bytes] | None:
        """The spare, if there is a living one; it is the caller's from now on."""
        self._look()
        taken, self._process = self._process, None
        if taken is not None:
            self._pause_seconds = _FIRST_PAUSE_SECONDS
        return taken

    def discard(self) -> None:
        """Sends it away."""
        process = self.take()
        if process is not None:
            _close_stdin(process)
            try:
                process.wait(_LEAVE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _look(self) -> None:
        if self._process is not None and exit_code(self._process) is not None:
            # It died unused: a broken installation should not start it again and again.
            _close_stdin(self._process)
            self._process = None
            self._not_before = self._clock() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)


def hand_over(process: subprocess.Popen[bytes], run_id: str, environment: dict[str, str]) -> None:
    """Tells a spare which run is its own, and which variables to set before it touches a device."""
    line = json.dumps({"run": run_id, "environment": environment}).encode() + b"\n"
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):  # it has just died; its end is noticed like any worker's
            process.stdin.write(line)
    _close_stdin(process)


def _close_stdin(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
