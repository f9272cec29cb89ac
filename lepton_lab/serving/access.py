"""The access log: one JSON line an answer, without secrets.

`access.jsonl` holds time, key id, method, route, status, rows, milliseconds and version. The route is its pattern,
never the path that was asked for; headers, queries and bodies are not written at all. Lines are gathered in memory
and appended about once a second; a full file makes room once, as `access.1.jsonl`.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import orjson

MAX_FILE_BYTES = 16 * 2**20
MAX_WAITING = 100_000
"""Lines that may wait for a disk; more are left out, and how many is said."""


class AccessLog:
    """Gathers and appends.

    Args:
        path: The file; several processes may append to it.
        makes_room: Whether this process moves a full file away; one of them does.
    """

    def __init__(self, path: Path, *, makes_room: bool = True) -> None:
        self._path, self._makes_room = path, makes_room
        self._waiting: list[tuple[Any, ...]] = []
        self._left_out = 0

    def note(
        self, key_id: str | None, method: str, route: str, status: int, rows: int, seconds: float, version: int
    ) -> None:
        """Remembers an answer.

        Args:
            key_id: Who asked; None where the door stayed closed.
            method: The HTTP method.
            route: The route's pattern.
            status: What was answered; 0 where the client had gone.
            rows: Rows that went through the network.
            seconds: From the request's head to the last byte.
            version: The version in service.
        """
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((time.time(), key_id, method, route, status, rows, seconds, version))
        else:
            self._left_out += 1

    def flush(self) -> None:
        """Appends what has gathered; what cannot be written waits."""
        if not self._waiting:
            return
        lines = b"".join(map(_line, self._waiting))
        if self._left_out:
            lines += orjson.dumps({"time": round(time.time(), 3), "left_out": self._left_out}) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(lines)
            is_full = self._makes_room and file.tell() > MAX_FILE_BYTES
        self._waiting, self._left_out = [], 0
        if is_full:
            with contextlib.suppress(OSError):
                self._path.replace(self._path.with_name("access.1.jsonl"))


def _line(entry: tuple[Any, ...]) -> bytes:
    at, key_id, method, route, status, rows, seconds, version = entry
    return orjson.dumps(
        {
            "time": round(at, 3),
            "key_id": key_id,
            "method": method,
            "route": route,
            "status": status,
            "rows": rows,
            "milliseconds": round(seconds * 1000, 3),
            "version": version,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
