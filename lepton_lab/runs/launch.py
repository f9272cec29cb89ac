"""Starts the supervisor when it is needed, and wakes it when there is something to do."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import store_error
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, spawn_detached

POKE, POKE_WARM = b"p", b"w"
ALL_DEVICES_VARIABLE = "LEPTON_ALL_DEVICES"
"""In a worker's environment: what CUDA_VISIBLE_DEVICES was before the worker was given its share ("-": unset)."""

_started: list[subprocess.Popen[bytes]] = []
_mutex = threading.Lock()
_seen: set[Path] = set()
"""Stores that this process has found supervised, or has had supervised."""


def poke(store: Store, message: bytes = POKE) -> bool:
    """Wakes the supervisor; returns whether one is there. Takes well under a millisecond."""
    try:
        fd = os.open(store.supervisor_pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # no pipe, or nobody at its other end
        return False
    try:
        os.write(fd, message)
    except BlockingIOError:
        pass  # it has thousands of wake-ups waiting; one more says nothing new
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def ensure_supervisor(store: Store, *, warm: bool = False) -> None:
    """Makes sure that a supervisor runs, and that it looks for work now. Returns at once.

    Two callers at the same moment may both start one; the second to take the lock leaves again.

    Args:
        store: The store to supervise.
        warm: Asks it to keep a spare worker, with torch imported, from now on.

    Raises:
        StoreError: If the store's folders cannot be made, or the store was removed since this process last saw it: a
            worker that looks after its supervisor must not bring back what somebody has deleted.
    """
    _reap()
    if poke(store, POKE_WARM if warm else POKE):
        _seen.add(store.root)
        return
    if store.root in _seen and not store.root.exists():
        raise StoreError(f"The run store {store.root} has been removed; nothing more is started in it.")
    try:
        store.prepare()
        argv = python_command("lepton_lab.runs.supervisor", "--store", str(store.root), *(["--warm"] if warm else []))
        process = spawn_detached(argv, store.supervisor_log, cwd=store.root, env=_environment())
    except OSError as error:
        raise store_error(error, store.supervisor_log) from error
    with _mutex:
        _started.append(process)
        _seen.add(store.root)


def _reap() -> None:
    """Takes note of supervisors that were started from here and have ended, so that no zombie stays."""
    with _mutex:
        _started[:] = [process for process in _started if process.poll() is None]


def _environment() -> dict[str, str]:
    """This process's environment, a worker's share of the devices undone."""
    env = dict(os.environ)
    everything = env.pop(ALL_DEVICES_VARIABLE, None)
    if everything == "-":
        env.pop("CUDA_VISIBLE_DEVICES", None)
    elif everything is not None:
        env["CUDA_VISIBLE_DEVICES"] = everything
    return env
