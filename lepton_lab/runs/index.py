"""The summaries of a store's runs in one SQLite file, so that 100,000 runs are listed without opening their folders.

Only a cache: a row counts as long as its run's folder and files have the times and sizes that they had when it was
read (`listing.py` asks), and holds a checksum. A file that is missing, broken or of another version is made anew from
the runs' folders; one that cannot be written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from lepton_lab.runs.snapshot import VERSION as SNAPSHOT_VERSION
from lepton_lab.runs.summary import FIELDS

Stamp = tuple[int, int, int, int, int, int, int, int]
"""Of folder, events and labels: when changed in content and in any way (ns), and how large; zeros without labels."""

_VERSION = zlib.crc32(f"1 {SNAPSHOT_VERSION} {' '.join(FIELDS)}".encode()) & 0x7FFFFFFF
"""Another one whenever what a row holds may be another."""
_AT_ONCE = 1_000
_STAMP = "folder_mtime, folder_ctime, events_mtime, events_ctime, events_size, labels_mtime, labels_ctime, labels_size"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, {_STAMP.replace(",", " INTEGER NOT NULL,")} INTEGER NOT NULL,
    body TEXT NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID
"""


class Row(NamedTuple):
    """What is kept of one run."""

    run_id: str
    stamp: Stamp
    seal: str | None
    values: dict[str, Any]
    """The fields of its summary that are not at their default."""


class Index:
    """The file. No method raises for the file's sake.

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Iterator[Row]:
        """All rows that are whole."""
        rows = self._rows()
        for first in range(0, len(rows), _AT_ONCE):
            sound = [row for row in rows[first : first + _AT_ONCE] if row[10] == _checksum(row[0], row[9])]
            # In one call, for the names of the fields to be the same objects in all of them.
            for row, (seal, values) in zip(sound, json.loads(f"[{','.join(row[9] for row in sound)}]"), strict=True):
                yield Row(row[0], row[1:9], seal, values)

    def write(self, rows: Iterable[Row], gone: Iterable[str]) -> bool:
        """Takes rows in and others out; whether the file took it."""
        new = []
        for row in rows:
            body = json.dumps([row.seal, row.values], ensure_ascii=True, separators=(",", ":"))
            new.append((row.run_id, *row.stamp, body, _checksum(row.run_id, body)))
        try:
            with self._open() as db, db:
                db.executemany("DELETE FROM runs WHERE run_id = ?", [(run_id,) for run_id in gone])
                db.executemany(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * 11)})", new)
        except (OSError, sqlite3.Error) as error:
            self._set_aside(error)
            return False
        return True

    def _rows(self) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        try:
            with self._open() as db:
                return db.execute(f"SELECT run_id, {_STAMP}, body, crc FROM runs").fetchall()
        except (OSError, sqlite3.Error) as error:
            self._set_aside(error)
            return []

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(self._path, timeout=0.2)) as db:
            db.execute("PRAGMA synchronous = OFF")  # what a power cut breaks is found by the checksums, or by SQLite
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                db.execute("DROP TABLE IF EXISTS runs")
                db.execute(_SCHEMA)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            yield db

    def _set_aside(self, error: Exception) -> None:
        """Removes a file that is no database; one that is only held by another process stays."""
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._path.with_name(self._path.name + "-journal").unlink(missing_ok=True)


def _checksum(run_id: str, body: str) -> int:
    return zlib.crc32(body.encode(errors="surrogatepass"), zlib.crc32(run_id.encode(errors="surrogatepass")))
