"""What ranks on other hosts print and use, on its way to the run's log and its device charts.

Each rank has a connection of its own for it, beside rank 0's line of events: nothing is answered, nothing in a step
waits for it, and where it breaks the training goes on.
"""

from __future__ import annotations

import io
import math
import os
import queue
import resource
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import psutil
import torch

from lepton_lab.runs.monitor import EVERY_SECONDS, write_far_use
from lepton_lab.scaling.callers import Door

MOST_LINES = 1000
"""Lines that wait to be sent; what is printed beyond them is left out, and how much is said."""
LONGEST_LINE = 2000
END_SECONDS = 5.0
MOST_FILES = 65_536
WRITTEN_SECONDS = EVERY_SECONDS / 2
"""Shortest time between two writings of what all ranks use: a thousand of them speak five hundred times a second."""


class Notes:
    """The worker's side: a door for the ranks of one run.

    Args:
        run_dir: The run's folder.
        key: What the ranks show.
        host: This host's address in the cluster.
        log: Where their lines go.
    """

    def __init__(self, run_dir: Path, key: bytes, host: str, log: TextIO | None = None) -> None:
        self._run_dir, self._log = run_dir, log or sys.stdout
        self._mutex, self._used = threading.Lock(), dict[int, dict[str, float]]()
        self._written = -math.inf
        _allow_files()
        self._door = Door(host, key, self._hear, "notes-of-rank")
        self.address = self._door.address

    def close(self) -> None:
        """Takes no further rank."""
        self._door.close()

    def _hear(self, connection: Connection) -> None:
        rank = -1
        with connection:
            while True:
                try:
                    kind, rank, said = connection.recv()
                except Exception:  # the rank is gone, perhaps in the middle of a word
                    break
                if kind == "lines":
                    with self._mutex:
                        self._log.writelines(f"rank {rank}: {line}\n" for line in said)
                        self._log.flush()
                else:
                    self._note_use(rank, said)
        self._note_use(rank, None)

    def _note_use(self, rank: int, used: dict[str, float] | None) -> None:
        with self._mutex:
            if used is None:
                self._used.pop(rank, None)
            else:
                self._used[rank] = used
            if self._used and time.monotonic() < self._written + WRITTEN_SECONDS:
                return
            self._written = time.monotonic()
            names = {name for each in self._used.values() for name in each}
            total = {name: sum(each.get(name, 0.0) for each in self._used.values()) for name in names}
            write_far_use(self._run_dir, total)


class Noted:
    """A rank's side: while the block lasts, what it prints and uses is told; and its traceback, where it ends in one.

    Args:
        address: The worker's door for notes.
        key: What it recognises its ranks by.
        rank: This rank's number.
    """

    def __init__(self, address: tuple[str, int], key: bytes, rank: int) -> None:
        self._address, self._key, self._rank = address, key, rank
        self._waiting: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._over, self._left_out = threading.Event(), 0
        self._thread = threading.Thread(target=self._tell, name="notes", daemon=True)
        self._before = (sys.stdout, sys.stderr)

    def __enter__(self) -> Noted:
        self._before = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = (_Told(stream, self._take) for stream in self._before)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            for line in "".join(traceback.format_exception(error)).splitlines():
                self._take(line)
        sys.stdout, sys.stderr = self._before
        self._over.set()
        self._thread.join(END_SECONDS)

    def _take(self, line: str) -> None:
        try:
            self._waiting.put_nowait(line[:LONGEST_LINE])
        except queue.Full:
            self._left_out += 1

    def _tell(self) -> None:
        with suppress(OSError, EOFError, AuthenticationError), Client(self._address, authkey=self._key) as connection:
            meter, is_over = Meter(), False
            while not is_over:
                is_over = self._over.wait(EVERY_SECONDS)
                if lines := self._lines():
                    connection.send(("lines", self._rank, lines))
                connection.send(("use", self._rank, meter.read()))

    def _lines(self) -> list[str]:
        lines = []
        with suppress(queue.Empty):
            while len(lines) < MOST_LINES:
                lines.append(self._waiting.get_nowait())
        if self._left_out:
            lines.append(f"... {self._left_out} lines are left out")
            self._left_out = 0
        return lines


def _allow_files() -> None:
    """Lets this process have more files open, as far as the system lets it: each rank is one, and 1,024 is usual."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class Meter:
    """What this process and its children use."""

    def __init__(self) -> None:
        self._process = psutil.Process(os.getpid())
        self._at, self._seconds = time.monotonic(), self._look()["seconds"]

    def read(self) -> dict[str, float]:
        """Cores in use since the last call, memory, and a GPU's memory where there is one."""
        now, found = time.monotonic(), self._look()
        seconds = found.pop("seconds")
        found["cpu_cores"] = round(max(0.0, seconds - self._seconds) / max(1e-3, now - self._at), 3)
        self._at, self._seconds = now, seconds
        if torch.cuda.is_initialized():
            found["gpu_memory_bytes"] = torch.cuda.memory_reserved()
        return found

    def _look(self) -> dict[str, float]:
        memory, seconds = 0.0, 0.0
        with suppress(psutil.Error):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.Error):
                    memory += process.memory_info().rss
                    seconds += sum(process.cpu_times()[:2])
        return {"memory_bytes": memory, "seconds": seconds}


class _Told(io.TextIOBase):
    """A stream that hands each whole line on, too."""

    def __init__(self, stream: TextIO, take: Any) -> None:
        self._stream, self._take, self._open = stream, take, ""

    def write(self, text: str) -> int:
        self._stream.write(text)
        *lines, self._open = (self._open + text).split("\n")
        for line in lines:
            self._take(line)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()
