"""A Ray head as its own processes, started as an operator starts it, killed, and started again at the same address."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.waiting import wait_until

SECONDS, TRIES = 120, 4
BEGUN = b"Ray runtime started"


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
        self._command = [*WITH_US, *before, *RAY, "start", "--head", f"--port={port}", f"--num-cpus={num_cpus}"]
        self._command += [f"--node-ip-address={host}", "--include-dashboard=false", f"--temp-dir={folder}", "--block"]
        self._env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **(env or {})}

    def start(self) -> None:
        """Starts it; returns when all of it is there."""
        start_node(self._command, self._folder.with_suffix(".log"), self._env, f"a head at {self.address}")

    def kill(self) -> None:
        """Kills all its processes at once, as the end of its host would."""
        end_all_of(str(self._folder))


WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""Before a command: it ends with the process that has started it, and with `ray start --block` all that this starts."""
RAY = (sys.executable, "-m", "ray.scripts.scripts")


def start_node(command: Sequence[str], log: Path, env: dict[str, str], what: str) -> subprocess.Popen[bytes]:
    """Starts a node, and once more where `ray start` has given up, as it does on a busy machine after half a minute.

    One after the other: several at once are too much for a small machine.
    """
    for _ in range(TRIES):
        with open(log, "wb") as said:
            node = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=env)
        wait_until(lambda: BEGUN in log.read_bytes() or node.poll() is not None, what, SECONDS)  # noqa: B023
        if node.poll() is None:
            return node
    raise AssertionError(f"{what} did not start: {log.read_text()[-1000:]}")


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
