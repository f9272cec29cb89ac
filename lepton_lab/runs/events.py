"""A run's events: appended by one writer at a time, read by anyone.

An event is one JSON object a line: `{"seq", "time" (unix), "elapsed_seconds" (training time), "type", ...}`.
`seq` counts from 1 without a hole. `EventLog.open_writer` takes the run's lock, mends a torn last line and goes on
counting; `read_events` reads once, `EventTail` follows.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import DISK, FULL, Disk, store_error, write_all
from lepton_lab.runs.lines import Event, each_line, read_lines
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.states import RunState

EVENTS_FILE, LOCK_FILE, RESERVE_FILE = "events.jsonl", "events.lock", ".reserve"

_PASSING = {
    "MetricsRecorded", "SamplesPredicted", "EpochEnded", "WarningRaised", "CommandReceived", "CheckpointCopied",
}  # fmt: skip
"""Events that need not reach the medium before the next step; all others wait for it."""
_CLOCK_STARTS = {"RunStarted", "RunResumed"}
_CLOCK_STOPS = {"RunPaused", "RunPreempted", "RunFinished", "RunStopped", "RunFailed", "RunQueued", "RunRestarted"}
_RESERVE_BYTES = 16_384
_SNAPSHOT_SECONDS = 1.0


class RunBusy(RunError):
    """Another process writes this run's events now."""


class EventWriter:
    """The one writer of a run's events; holds the run's lock until it is closed. Safe to use from several threads.

    Args:
        run_dir: The run's folder.
        lock: Its lock, held.
        disk: The system calls.
        monotonic: The clock of durations, in seconds.
        wall: The clock of dates, in unix seconds; it may jump, nothing is ordered or measured by it.
    """

    def __init__(
        self, run_dir: Path, lock: FileLock, disk: Disk, monotonic: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.run_dir = run_dir
        self._lock, self._disk, self._monotonic, self._wall = lock, disk, monotonic, wall
        self._mutex = threading.RLock()
        self._clock_from: float | None = None
        self._snapshot_at = -math.inf
        self._fd = os.open(run_dir / EVENTS_FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.fold, self._size, fresh = snapshot.load(run_dir)
        if os.fstat(self._fd).st_size > self._size:
            os.ftruncate(self._fd, self._size)  # a torn last line: nobody has read it, for it has no end
        if not fresh:
            self._save_snapshot()
        self._keep_reserve()

    @property
    def state(self) -> RunState:
        """The run's state; certain as long as this writer is open."""
        return self.fold.state

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes one event and returns its number.

        State changes and checkpoints are on the medium when this returns. Values that are not finite become null.

        Raises:
            StoreError: If it could not be written; the file then ends as it did before.
        """
        with self._mutex:
            event = {
                "seq": self.fold.seq + 1,
                "time": round(self._wall(), 3),
                "elapsed_seconds": round(self._elapsed_seconds(), 3),
                "type": event_type,
                **fields,
            }
            event, line = _encode(event)
            self._write(line, durable=event_type not in _PASSING)
            self._turn_clock(event_type)
            self.fold.apply(event)
            self._snapshot_sometimes(event_type)
            return int(event["seq"])

    def flush(self) -> None:
        """Makes all that was appended durable."""
        with self._mutex:
            try:
                self._disk.fsync(self._fd)
            except OSError as error:
                raise store_error(error, self.run_dir / EVENTS_FILE) from error

    def close(self) -> None:
        """Lets the run go; safe to repeat."""
        with self._mutex:
            if self._lock.held:
                self._save_snapshot()
                (self.run_dir / RESERVE_FILE).unlink(missing_ok=True)
                os.close(self._fd)
                self._lock.release()

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, line: bytes, durable: bool) -> None:
        try:
            self._try_write(line, durable)
        except OSError as error:
            if error.errno not in FULL or not durable:
                raise store_error(error, self.run_dir / EVENTS_FILE) from error
            self._write_from_reserve(line)

    def _write_from_reserve(self, line: bytes) -> None:
        (self.run_dir / RESERVE_FILE).unlink(missing_ok=True)  # so that a full disk still takes the run's last word
        try:
            self._try_write(line, durable=True)
        except OSError as error:
            raise store_error(error, self.run_dir / EVENTS_FILE) from error

    def _try_write(self, line: bytes, durable: bool) -> None:
        try:
            write_all(self._fd, line, self._disk)
            if durable:
                self._disk.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line)

    def _keep_reserve(self) -> None:
        path = self.run_dir / RESERVE_FILE
        try:
            if not path.exists():
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    write_all(fd, bytes(_RESERVE_BYTES), self._disk)
                finally:
                    os.close(fd)
        except OSError:
            path.unlink(missing_ok=True)  # the disk is full already; the next write says so

    def _elapsed_seconds(self) -> float:
        if self._clock_from is None:
            return self.fold.elapsed_seconds
        return self._monotonic() - self._clock_from

    def _turn_clock(self, event_type: str) -> None:
        if event_type in _CLOCK_STARTS and self._clock_from is None:
            self._clock_from = self._monotonic() - self.fold.elapsed_seconds
        elif event_type in _CLOCK_STOPS:
            self._clock_from = None

    def _snapshot_sometimes(self, event_type: str) -> None:
        if event_type not in _PASSING or self._monotonic() - self._snapshot_at > _SNAPSHOT_SECONDS:
            self._save_snapshot()

    def _save_snapshot(self) -> None:
        self._snapshot_at = self._monotonic()
        snapshot.save(self.run_dir, self.fold, self._size)


class EventLog:
    """The door to a run's events for who writes them."""

    @classmethod
    def open_writer(
        cls,
        run_dir: Path,
        *,
        wait_seconds: float = 5.0,
        disk: Disk = DISK,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> EventWriter:
        """Takes the run's lock and returns its writer, a context manager.

        Args:
            run_dir: The run's folder; must exist.
            wait_seconds: How long to wait for a writer that is about to leave.
            disk: The system calls.
            monotonic: The clock of durations, in seconds.
            wall: The clock of dates, in unix seconds.

        Raises:
            RunBusy: If another process holds the run.
            StoreError: If the folder cannot be read or written.
        """
        lock = FileLock(run_dir / LOCK_FILE)
        try:
            if not lock.acquire(wait_seconds):
                raise RunBusy(f"Run {run_dir.name!r} is held by another process; try again when it has ended.")
            return EventWriter(run_dir, lock, disk, monotonic, wall)
        except OSError as error:
            lock.release()
            raise store_error(error, run_dir / EVENTS_FILE) from error
        except StoreError:
            lock.release()
            raise


def read_events(run_dir: Path, since_seq: int = 0) -> list[Event]:
    """The events with a greater number than `since_seq`; a torn last line is left out, a broken one is a warning.

    Raises:
        StoreError: If the file cannot be read.
    """
    return [event for event in EventTail(run_dir).read() if event["seq"] > since_seq]


def iterate_events(run_dir: Path) -> Iterator[Event]:
    """All events, one after the other: a long record is folded without being held in memory as a whole.

    Raises:
        StoreError: If the file cannot be read.
    """
    try:
        yield from each_line(run_dir / EVENTS_FILE)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise StoreError(f"The record of run {run_dir.name!r} cannot be read: {said}.", reason="unreadable") from error


class EventTail:
    """Follows a run's events from the beginning.

    Args:
        run_dir: The run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / EVENTS_FILE
        self._offset = self._seq = 0

    def read(self) -> list[Event]:
        """The events that have come since the last call.

        Raises:
            StoreError: If the file cannot be read.
        """
        try:
            if self._offset and self._path.stat().st_size < self._offset:
                self._offset = 0  # another file under this name; what was seen is left out by its number
            found = read_lines(self._path, self._offset, self._seq)
        except OSError as error:
            said = error.strerror or type(error).__name__
            name = self._path.parent.name
            raise StoreError(f"The record of run {name!r} cannot be read: {said}.", reason="unreadable") from error
        self._offset, seen = found.offset, self._seq
        self._seq = max((event["seq"] for event in found.events), default=seen)
        return [event for event in found.events if event["seq"] > seen or event["type"] == "WarningRaised"]


def _encode(event: Event) -> tuple[Event, bytes]:
    """The event as it can be stored, and its line."""
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        event = _finite(event)
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return event, text.encode(errors="replace") + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
