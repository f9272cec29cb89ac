"""What each key of an endpoint has asked for, as the server wrote it to `usage.jsonl`.

Each line is `{"time", "key_id", "requests", "rows", "compute_seconds"}` with the amounts since the line before.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Usage:
    """What one key has asked for."""

    requests: int = 0
    rows: int = 0
    compute_seconds: float = 0.0

    def add(self, requests: int, rows: int, compute_seconds: float) -> None:
        """Counts more."""
        self.requests += requests
        self.rows += rows
        self.compute_seconds += compute_seconds


def read_usage(path: Path) -> dict[str, Usage]:
    """Totals by key id; a torn or foreign line is left out."""
    totals: dict[str, Usage] = {}
    for entry in usage_entries(path):
        usage = totals.setdefault(entry["key_id"], Usage())
        usage.add(entry["requests"], entry["rows"], entry["compute_seconds"])
    return totals


def usage_entries(path: Path) -> Iterator[dict[str, Any]]:
    """The readable lines."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                yield {
                    "time": float(entry["time"]),
                    "key_id": str(entry["key_id"]),
                    "requests": int(entry["requests"]),
                    "rows": int(entry["rows"]),
                    "compute_seconds": float(entry["compute_seconds"]),
                }
