"""The supervisor's hand on what runs for long: one process for each folder whose `record.json` says "running".

Endpoints have such folders, and studies.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, exit_code, identity, read_identity, spawn_detached, terminate
from lepton_lab.runs.programs import Programs

log = logging.getLogger("lepton_lab.supervisor")

PROCESS_FILE = "process.json"
"""Where a server says which process it is."""
_RECORD_FILE, _SPAWNED_FILE, _LOG_FILE = "record.json", "spawned.json", "server.log"
LEFT_FILE = "cluster.json"
"""In an endpoint's folder: what it has on a cluster, which is to be taken off when the endpoint is stopped."""
_MOST_LEAVINGS, _TAKING_OFF_SECONDS = 10, 120.0
_SOUND_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 30.0
_LEAVE_SECONDS = 10.0
_RETRY_SECONDS = 5.0


@dataclass
class Server:
    """One endpoint, or one study, as the supervisor sees it."""

    name: str
    desired: str = ""
    record_stamp: tuple[int, int] | None = None
    process: dict[str, Any] | None = None
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0
    not_before: float = 0.0
    asked_to_leave_at: float | None = None
    takes_off: bool = False
    """Whether the process only takes off a cluster what one before it has left there."""
    trouble: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether the process that was known is gone; False where none is known."""
        if self.child is not None:
            return exit_code(self.child) is not None
        return self.process is not None and not alive(self.process)

    @property
    def is_alive(self) -> bool:
        """Whether a process is known and lives."""
        return self.process is not None and not self.has_ended


class ServerKeeper:
    """Keeps endpoints as their records want them.

    Args:
        store: The store.
        programs: How to start servers.
        watch: Called with the pid of each adopted server.
        clock: Monotonic seconds.
    """

    what = "endpoint"

    def __init__(
        self,
        store: Store,
        programs: Programs,
        watch: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._programs, self._watch, self._clock = store, programs, watch, clock
        self._servers: dict[str, Server] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any endpoint is to run, or still runs."""
        return any(server.desired == "running" or server.is_alive for server in self._servers.values())

    @property
    def next_due(self) -> float | None:
        """When the next delayed restart is due, on the clock."""
        due = [each.not_before for each in self._servers.values() if each.desired == "running" and not each.is_alive]
        return min(due, default=None)

    def tick(self) -> None:
        """Looks at every endpoint's record, and starts, restarts and ends servers accordingly."""
        for name in self._names() | set(self._servers):
            server = self._servers.setdefault(name, Server(name))
            try:
                self._read(server)
                self._keep(server)
            except (OSError, StoreError) as error:
                if str(error) != server.trouble:  # said once, however often it is tried again
                    log.warning("%s %s: %s", self.what, name, error)
                server.trouble = str(error)
                server.not_before = self._clock() + _RETRY_SECONDS

    def _names(self) -> set[str]:
        try:
            with os.scandir(self._root()) as entries:
                return {entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()}
        except OSError:
            return set()

    def _read(self, server: Server) -> None:
        path = self._folder(server) / _RECORD_FILE
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp != server.record_stamp:
                server.desired = str(read_json(path)["desired"])
                server.record_stamp = stamp
                server.quick_deaths, server.not_before = 0, 0.0
        except (FileNotFoundError, NotADirectoryError):
            server.desired, server.record_stamp = "gone", None
        except (StoreError, KeyError, TypeError):
            return  # half a record tells nothing; what was known holds

    def _keep(self, server: Server) -> None:
        if server.has_ended:
            self._note_death(server)
        if server.process is None:
            self._adopt(server)
        if server.desired == "running":
            server.asked_to_leave_at = None
            if server.process is None and self._clock() >= server.not_before:
                self._start(server)
        elif server.is_alive and server.process is not None:
            if not server.takes_off or self._clock() - server.started_at > _TAKING_OFF_SECONDS:
                self._send_away(server, server.process)
        elif server.desired == "stopped" and self._has_left_something(server):
            self._start(server)  # which takes it off the cluster and ends
            server.takes_off, server.asked_to_leave_at = True, None
        elif server.desired == "gone":
            self._servers.pop(server.name, None)

    def _has_left_something(self, server: Server) -> bool:
        if server.quick_deaths >= _MOST_LEAVINGS or self._clock() < server.not_before:
            return False
        return server.process is None and (self._folder(server) / LEFT_FILE).exists()

    def _adopt(self, server: Server) -> None:
        for name in (PROCESS_FILE, _SPAWNED_FILE):
            process = read_identity(self._folder(server) / name)
            if process is not None and alive(process):
                server.process, server.started_at = process, self._clock()
                self._watch(int(process["pid"]))
                return

    def _start(self, server: Server) -> None:
        folder = self._folder(server)
        argv = self._command(server.name)
        server.child = spawn_detached(argv, folder / _LOG_FILE, cwd=folder)
        server.process = dict(identity(server.child.pid) or {"pid": server.child.pid})
        server.started_at = self._clock()
        # Until the server has written its own record, a new supervisor knows it by this one.
        write_json(folder / _SPAWNED_FILE, server.process, durable=False)

    def _note_death(self, server: Server) -> None:
        lived_seconds = self._clock() - server.started_at
        server.quick_deaths = 0 if lived_seconds > _SOUND_SECONDS else server.quick_deaths + 1
        pause = min(0.5 * 2 ** (server.quick_deaths - 2), _LONGEST_PAUSE_SECONDS) if server.quick_deaths > 1 else 0.0
        server.not_before = self._clock() + pause
        server.process = server.child = None
        server.takes_off = False
        if server.desired == "running":
            log.warning("%s %s: its process has ended after %.1f s", self.what, server.name, lived_seconds)

    def _send_away(self, server: Server, process: dict[str, Any]) -> None:
        if server.asked_to_leave_at is None:
            server.asked_to_leave_at = self._clock()
            terminate(process)
        elif self._clock() - server.asked_to_leave_at > _LEAVE_SECONDS:
            terminate(process, hard=True)

    def _folder(self, server: Server) -> Path:
        return self._root() / server.name

    def _root(self) -> Path:
        return self._store.endpoints_dir

    def _command(self, name: str) -> list[str]:
        return self._programs.server(self._store, name)


class StudyKeeper(ServerKeeper):
    """Keeps a driver for each study whose record wants one."""

    what = "study"

    def _root(self) -> Path:
        return self._store.studies_dir

    def _command(self, name: str) -> list[str]:
        return self._programs.study(self._store, name)
