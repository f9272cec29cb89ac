"""Processes by identity: a pid together with its start time, because pids are used again."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from lepton_lab.runs.atomic import read_json, write_json

_SAME_SECONDS = 0.02  # the kernel counts start times in ticks of 10 ms


class Identity(TypedDict):
    """Which process is meant, for as long as the machine is up."""

    pid: int
    start_time: float
    """Seconds after boot (Linux) or after 1970 (elsewhere)."""
    boot: str
    """Which start of the machine; empty where the system does not say."""


def identity(pid: int | None = None) -> Identity | None:
    """The identity of a living process (default: this one), or None if there is none."""
    pid = os.getpid() if pid is None else pid
    start_time = _start_time(pid)
    return None if start_time is None else Identity(pid=pid, start_time=start_time, boot=_boot())


def alive(process: Mapping[str, Any] | None) -> bool:
    """Whether exactly this process still runs; a zombie does not."""
    try:
        found = identity(int(process["pid"])) if process else None
        return (
            found is not None
            and process is not None
            and found["boot"] == process.get("boot", found["boot"])
            and abs(found["start_time"] - float(process["start_time"])) < _SAME_SECONDS
        )
    except (KeyError, TypeError, ValueError):
        return False


def terminate(process: Mapping[str, Any], *, hard: bool = False) -> bool:
    """Sends SIGTERM to a process (hard: SIGKILL to all of its session); returns whether it was alive."""
    if not alive(process):
        return False
    pid = int(process["pid"])
    try:
        if hard and os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL if hard else signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def write_identity(path: Path, **fields: Any) -> None:
    """Records this process in a JSON file, with what else belongs there."""
    write_json(path, {**(identity() or {}), **fields})


def read_identity(path: Path) -> dict[str, Any] | None:
    """What `write_identity` recorded, or None if it cannot be read."""
    try:
        found = read_json(path)
    except Exception:  # missing, torn or foreign: in each case nobody is known by it
        return None
    return found if isinstance(found, dict) else None


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module with this interpreter, the current folder kept off the import path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def spawn_detached(
    argv: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    piped: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, its output appended to a log.

    Args:
        argv: The command line.
        log: Where stdout and stderr go; made for the owner alone.
        cwd: Its current folder (default: the log's).
        env: Its environment (default: this process's), to which the way to this package is added where needed.
        piped: Whether its stdin is a pipe from here; else it is empty.
    """
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd=cwd or log.parent,
            env=with_package(dict(os.environ if env is None else env)),
            start_new_session=True,
            bufsize=0,
        )
    finally:
        os.close(fd)


def exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """How a child ended, or None while it lives; what it left behind in its session is ended with it."""
    if process.returncode is None and hasattr(os, "waitid"):
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Not reaped yet, so that the pid, and the group's with it, cannot have been given to somebody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.poll()


def redirect_output(log: Path) -> None:
    """Points this process's stdout and stderr at a log: a warm spare does so when it gets its run."""
    sys.stdout.flush()
    sys.stderr.flush()
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def with_package(env: dict[str, str]) -> dict[str, str]:
    """An environment in which a new process finds this package, wherever its current folder is."""
    home = Path(__file__).resolve().parents[2]
    if home.name not in ("site-packages", "dist-packages"):
        parts = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part]
        if str(home) not in parts:
            env["PYTHONPATH"] = os.pathsep.join([*parts, str(home)])
    return env


def _start_time(pid: int) -> float | None:
    if sys.platform == "linux":
        try:
            # The command's name stands in parentheses and may hold anything, so count from the last one.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except (OSError, ValueError):
            return None
        return None if fields[0] in (b"Z", b"X") else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
