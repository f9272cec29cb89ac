"""How often each key has asked lately: a bucket of a minute's requests that fills up again evenly.

The buckets of an endpoint lie in one small file that its processes share, each change under the file's lock: a rate
holds for the endpoint, not for each process. Times come from the monotonic clock, which all processes of a machine
have in common; what a restart of the machine leaves behind is taken for a full bucket.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lepton_lab.runs.endpoints import KeyRecord

NUM_SLOTS = 1024
_SLOT = struct.Struct("<16sdd")


class Rates:
    """The buckets.

    Args:
        path: Their file; None keeps them in this process alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        size = NUM_SLOTS * _SLOT.size
        self._file: int | None = None
        if path is None:
            self._slots = mmap.mmap(-1, size)
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, size)
        self._slots = mmap.mmap(self._file, size)

    def wait_seconds(self, key: KeyRecord, now: float) -> float:
        """Seconds that a key has to wait before its next request; 0 lets this one pass, and counts it.

        Args:
            key: Its record; one without a rate never waits.
            now: Monotonic seconds.
        """
        rate = key.requests_per_minute
        if rate is None:
            return 0.0
        name = hashlib.sha256(key.id.encode()).digest()[:16]
        with self._locked():
            at, left, since = self._find(name, float(rate), now)
            left = min(float(rate), left + (now - since) * rate / 60) if since <= now else float(rate)
            may = left >= 1
            _SLOT.pack_into(self._slots, at, name, left - 1 if may else left, now)
        return 0.0 if may else (1 - left) * 60 / rate

    def _find(self, name: bytes, full: float, now: float) -> tuple[int, float, float]:
        """Where a key's bucket lies, and what it holds; the one that was asked longest ago makes room."""
        first = int.from_bytes(name[:4], "little") % NUM_SLOTS
        oldest, oldest_since = first * _SLOT.size, float("inf")
        for step in range(8):
            at = (first + step) % NUM_SLOTS * _SLOT.size
            owner, left, since = _SLOT.unpack_from(self._slots, at)
            if owner == name:
                return at, left, since
            if since < oldest_since:
                oldest, oldest_since = at, since
        return oldest, full, now

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file is None:
            yield
            return
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
