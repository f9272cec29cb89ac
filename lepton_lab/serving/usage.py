"""Usage per key: counted in memory, appended to `usage.jsonl` about once a second, folded by day at start.

What a line is, and how lines are read, stands in `lepton_lab.runs.usage`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from lepton_lab.runs.atomic import write_bytes
from lepton_lab.runs.usage import Usage, read_usage, usage_entries

__all__ = ["Usage", "UsageMeter", "compact", "read_usage"]

DAY_SECONDS = 86_400


class UsageMeter:
    """Counts for a server and appends to the file, as the other processes of its endpoint do.

    Args:
        path: The file.
        compacts: Whether this process folds the file at its start; the first one does, before there are others.
    """

    def __init__(self, path: Path, *, compacts: bool = True) -> None:
        self._path = path
        self._pending: dict[str, Usage] = {}
        if compacts:
            compact(path)

    def count(self, key_id: str, *, requests: int = 1, rows: int = 0, compute_seconds: float = 0.0) -> None:
        """Adds one answer to a key's account."""
        self._pending.setdefault(key_id, Usage()).add(requests, rows, compute_seconds)

    def flush(self) -> None:
        """Appends what was counted since the last time; what cannot be written stays counted."""
        if not self._pending:
            return
        now = round(time.time(), 3)
        lines = "".join(_line(now, key_id, usage) for key_id, usage in self._pending.items())
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(lines.encode())
        self._pending.clear()


def compact(path: Path) -> None:
    """Folds the file into one line a key and day, so that it stays small for years."""
    days: dict[tuple[int, str], tuple[float, Usage]] = {}
    for entry in usage_entries(path):
        day = (int(entry["time"] // DAY_SECONDS), entry["key_id"])
        usage = days.setdefault(day, (0.0, Usage()))[1]
        usage.add(entry["requests"], entry["rows"], entry["compute_seconds"])
        days[day] = (entry["time"], usage)
    if days:
        write_bytes(path, "".join(_line(at, key_id, usage) for (_, key_id), (at, usage) in days.items()).encode())


def _line(at: float, key_id: str, usage: Usage) -> str:
    """One line of the file."""
    amounts = {"requests": usage.requests, "rows": usage.rows, "compute_seconds": round(usage.compute_seconds, 6)}
    return json.dumps({"time": at, "key_id": key_id, **amounts}) + "\n"
