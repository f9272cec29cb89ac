"""The order of waiting runs and the leases of running ones, in `queue.db`.

The rollback journal is used rather than WAL: SQLite before 3.51.3 can lose a WAL database that two processes write.
A lost or broken file is no loss: the supervisor makes it anew from the runs' folders.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lepton_lab.errors import StoreError
from lepton_lab.runs.bulk import undisturbed
from lepton_lab.runs.paths import Store

_COLUMNS = {
    "priority": "INTEGER NOT NULL DEFAULT 0",
    "device": "TEXT NOT NULL DEFAULT 'auto'",
    "slot": "TEXT",
    "pid": "INTEGER",
    "start_time": "REAL",
    "boot": "TEXT",
    "place": "REAL",
    "user": "TEXT",
    "share": "REAL NOT NULL DEFAULT 1.0",
    "devices": "INTEGER NOT NULL DEFAULT 1",
}
"""All but the first two columns; a file of an earlier version gets those that it lacks."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS queue (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    {", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())}
)
"""
_PLACE = "COALESCE(place, position)"
_ORDER = f"ORDER BY priority DESC, {_PLACE}, position"


class Entry(NamedTuple):
    """One run of the queue; with a slot it is leased to a worker."""

    run_id: str
    device: str
    """What the run asked for: "auto", "cpu" or "cuda"."""
    slot: str | None
    worker: dict[str, object] | None
    """The worker's identity, once it is started."""
    priority: int = 0
    user: str | None = None
    share: float = 1.0
    """The share of a GPU that it needs."""
    devices: int = 1
    """The slots that it needs."""


_Stamp = tuple[bytes, int, int, int]


@dataclass
class _Read:
    """What was read of a queue, at once."""

    stamp: _Stamp | None
    entries: list[Entry]
    waiting: list[Entry] | None = None


_READ: dict[Path, _Read] = {}
"""What this process read last of each of the last queues."""
_MOST_READ = 4


class Queue:
    """The queue of a store. Each call is one transaction; any process may call.

    Args:
        store: The store.
        timeout_seconds: How long to wait for another process's transaction.

    All methods raise StoreError if the file cannot be read or written.
    """

    def __init__(self, store: Store, timeout_seconds: float = 5.0) -> None:
        self._path, self._timeout_seconds = store.queue_db, timeout_seconds

    def enqueue(
        self,
        run_id: str,
        *,
        device: str = "auto",
        priority: int = 0,
        user: str | None = None,
        share: float = 1.0,
        devices: int = 1,
    ) -> None:
        """Puts a run at the end of its priority; one that is there already stays where it is."""
        with self._connect() as db:
            # A place of its own: of two numbers that a row could be ordered by, the later one is the greater.
            db.execute(
                "INSERT INTO queue (run_id, device, priority, user, share, devices, place) VALUES (?, ?, ?, ?, ?, ?, "
                f"1 + COALESCE((SELECT MAX({_PLACE}) FROM queue), 0)) ON CONFLICT (run_id) DO NOTHING",
                (run_id, device, priority, user, share, devices),
            )

    def set_priority(self, run_id: str, priority: int) -> bool:
        """Gives a run another priority, at the end of whose line it stands then; False if it is not in the queue."""
        with self._connect() as db:
            end = f"1 + (SELECT MAX({_PLACE}) FROM queue)"
            change = db.execute(f"UPDATE queue SET priority = ?, place = {end} WHERE run_id = ?", (priority, run_id))
            return change.rowcount == 1

    def move(self, run_id: str, place: int) -> bool:
        """Puts a waiting run at a place among the waiting ones of its priority, 1 being the first in line.

        Returns:
            Whether it waits; a run that has been started meanwhile stays where it is.
        """
        with self._connect() as db:
            rows = db.execute(f"SELECT run_id, priority, {_PLACE} FROM queue WHERE slot IS NULL {_ORDER}").fetchall()
            mine = next((row for row in rows if row[0] == run_id), None)
            if mine is None:
                return False
            line = [row for row in rows if row[1] == mine[1] and row is not mine]
            places = sorted(row[2] for row in [*line, mine])  # the same places, given out anew
            line.insert(min(place - 1, len(line)), mine)
            for row, at in zip(line, places, strict=True):
                db.execute("UPDATE queue SET place = ? WHERE run_id = ?", (at, row[0]))
            return True

    def entries(self) -> list[Entry]:
        """All runs, in order."""
        return list(self._read().entries)

    def is_empty(self) -> bool:
        """Whether no run waits or works."""
        return not self._read().entries

    def positions(self) -> dict[str, int]:
        """The place of each waiting run; 1 is next."""
        return {entry.run_id: place for place, entry in enumerate(self.waiting(), 1)}

    def waiting(self) -> list[Entry]:
        """The waiting runs in the order in which they would start; see `ordering.waiting_order`."""
        from lepton_lab.runs.ordering import waiting_order

        read = self._read()
        if read.waiting is None:
            with undisturbed():
                read.waiting = waiting_order(read.entries)
        return list(read.waiting)

    def _read(self) -> _Read:
        """All of the queue; what was read before where the file has not changed since."""
        if not self._path.exists():
            return _Read(None, [])
        stamp = self._stamp()
        read = _READ.get(self._path)
        if read is not None and stamp is not None and read.stamp == stamp:
            return read
        with self._connect() as db, undisturbed():
            columns = "run_id, device, slot, pid, start_time, boot, priority, user, share, devices"
            rows = db.execute(f"SELECT {columns} FROM queue {_ORDER}").fetchall()
            entries = [Entry(row[0], row[1], row[2], _worker(*row[3:6]), *row[6:]) for row in rows]
        read = _Read(stamp, entries)
        if stamp is not None and stamp == self._stamp():
            _READ.pop(self._path, None)
            while len(_READ) >= _MOST_READ:
                _READ.pop(next(iter(_READ), self._path), None)
            _READ[self._path] = read
        return read

    def _stamp(self) -> _Stamp | None:
        """What is another one after each transaction that wrote: SQLite's own count, in the file's first bytes.

        None while a journal is there, for then a transaction is at work, or one that was cut off is to be undone.
        """
        try:
            with open(self._path, "rb") as file:
                head = file.read(100)
                stat = os.fstat(file.fileno())
            if os.path.exists(f"{self._path}-journal") or len(head) < 100:
                return None
        except OSError:
            return None
        return head[24:28], stat.st_ino, stat.st_size, stat.st_mtime_ns

    def lease(self, run_id: str, slot: str) -> bool:
        """Gives a waiting run a slot; False if it is not waiting any more."""
        with self._connect() as db:
            change = db.execute("UPDATE queue SET slot = ? WHERE run_id = ? AND slot IS NULL", (slot, run_id))
            return change.rowcount == 1

    def set_worker(self, run_id: str, worker: Mapping[str, object]) -> None:
        """Records the identity of the process that has the lease."""
        values = (worker.get("pid"), worker.get("start_time"), worker.get("boot"), run_id)
        with self._connect() as db:
            db.execute("UPDATE queue SET pid = ?, start_time = ?, boot = ? WHERE run_id = ?", values)

    def release(self, run_id: str) -> None:
        """Takes a run's slot away and lets it wait again, at its old place."""
        with self._connect() as db:
            db.execute("UPDATE queue SET slot = NULL, pid = NULL WHERE run_id = ?", (run_id,))

    def remove(self, run_id: str) -> None:
        """Forgets a run; safe to repeat."""
        if self._path.exists():
            with self._connect() as db:
                db.execute("DELETE FROM queue WHERE run_id = ?", (run_id,))

    def set_aside_if_broken(self) -> bool:
        """Moves the file away if it is no intact database; returns whether it did."""
        if not self._path.exists():
            return False
        try:
            with self._connect() as db:
                intact = db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        except StoreError as error:
            intact = not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
                error.__cause__, sqlite3.OperationalError
            )
        if not intact:
            # The journal goes first: beside a new file, SQLite would take it for that one's unfinished business.
            journal = self._path.with_name(self._path.name + "-journal")
            if journal.exists():
                journal.replace(journal.with_suffix(".db-journal.broken"))
            self._path.replace(self._path.with_suffix(".db.broken"))
        return not intact

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            db = sqlite3.connect(self._path, timeout=self._timeout_seconds, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _queue_error(error) from error
        try:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute(_SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            _add_missing_columns(db)
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise _queue_error(error) from error
        finally:
            db.close()


def _add_missing_columns(db: sqlite3.Connection) -> None:
    known = {row[1] for row in db.execute("PRAGMA table_info(queue)")}
    for name, kind in _COLUMNS.items():
        if name not in known:
            db.execute(f"ALTER TABLE queue ADD COLUMN {name} {kind}")


def _worker(pid: int | None, start_time: float | None, boot: str | None) -> dict[str, object] | None:
    return None if pid is None else {"pid": pid, "start_time": start_time, "boot": boot or ""}


def _queue_error(error: Exception) -> StoreError:
    if "full" in str(error):
        return StoreError("The disk is full: the queue cannot be written. Free some space.", reason="disk_full")
    return StoreError(f"The queue cannot be read or written: {error}.", reason="unwritable")
