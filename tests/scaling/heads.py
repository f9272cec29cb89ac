"""A Ray head as its own processes, started as an operator starts it, killed, and started again at the same address."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.waiting import wait_until

SECONDS = 120


class Head:
    """`ray start --head`, and all that it starts.

    Args:
        folder: For its sockets; a short path.
        port: Where it answers.
        num_cpus: What it offers.
        before: Words before the command: `ip netns exec NAME`, say.
        host: Its address.
        env: Further variables.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        num_cpus: int,
        before: tuple[str, ...] = (),
        host: str = "127.0.0.1",
        env: dict[str, str] | None = None,
    ) -> None:
        self.address, self._folder = f"{host}:{port}", folder
        self._command = [*before, *RAY, "start", "--head", f"--port={port}", f"--num-cpus={num_cpus}"]
        self._command += [f"--node-ip-address={host}", "--include-dashboard=false", f"--temp-dir={folder}", "--block"]
        self._env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **(env or {})}

    def start(self) -> None:
        """Starts it; returns when it answers."""
        with open(self._folder.with_suffix(".log"), "ab") as log:
            subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env)

    def wait(self) -> None:
        """Returns when all of it is there."""
        wait_until(lambda: is_started(self._folder.with_suffix(".log")), f"a head at {self.address}", SECONDS)

    def kill(self) -> None:
        """Kills all its processes at once, as the end of its host would."""
        end_all_of(str(self._folder))


RAY = (sys.executable, "-m", "ray.scripts.scripts")


def is_started(log: Path) -> bool:
    """Whether `ray start` has said that all of a node is there; several at once are too much for a small machine."""
    return log.exists() and b"Ray runtime started" in log.read_bytes()


def end_all_of(mark: str) -> None:
    """Kills every process whose command line has a mark, with all that it has started."""
    for _ in range(2):  # one that was just being started has no command line for a moment
        found = [each for each in psutil.process_iter(["cmdline"]) if mark in " ".join(each.info["cmdline"] or [])]
        found += [child for each in found for child in _children(each)]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=10)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
