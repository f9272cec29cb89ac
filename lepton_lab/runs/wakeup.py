"""What the supervisor waits for: a poke, the end of a process, a signal; and at the latest a moment in time."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from pathlib import Path
from types import FrameType

_READ_BYTES = 65_536


class Wakeup:
    """The supervisor's ears. Must be made in the main thread, because it takes over the signals.

    Args:
        pipe: The named pipe that others write to.
    """

    def __init__(self, pipe: Path) -> None:
        self._pipe = pipe
        self._selector = selectors.DefaultSelector()
        self._pipe_fds: list[int] = []
        self.must_end = False
        """Whether SIGTERM or SIGINT has come."""
        self._signals, far = socket.socketpair()
        self._far = far
        for end in (self._signals, far):
            end.setblocking(False)
        self._selector.register(self._signals, selectors.EVENT_READ)
        signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def open_pipe(self) -> None:
        """Makes the pipe; from now on a poke finds somebody."""
        self._pipe.unlink(missing_ok=True)
        os.mkfifo(self._pipe, 0o600)
        reader = os.open(self._pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        keeper = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # without it, each poke ends in EOF
        self._pipe_fds = [reader, keeper]
        self._selector.register(reader, selectors.EVENT_READ)

    def hide_pipe(self) -> bytes:
        """Takes the pipe's name away, so that nobody new finds it; returns what was said before that."""
        self._pipe.unlink(missing_ok=True)
        return self._read_pipe()

    def close_pipe(self) -> None:
        """Closes the pipe; who still writes to it is told that nobody listens."""
        if self._pipe_fds:
            self._selector.unregister(self._pipe_fds[0])
            for fd in self._pipe_fds:
                os.close(fd)
            self._pipe_fds = []

    def watch(self, pid: int) -> None:
        """Wakes up when a process that is no child ends, where the system can say so (Linux)."""
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # it has ended already, or the system is too old; the next look tells
                self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, "process")

    def wait(self, timeout_seconds: float) -> bytes:
        """Waits until something happens, so long at most; returns what was said through the pipe."""
        for key, _ in self._selector.select(max(0.0, timeout_seconds)):
            if key.data == "process":
                self._selector.unregister(key.fd)
                os.close(key.fd)
        with contextlib.suppress(BlockingIOError):
            self._signals.recv(_READ_BYTES)
        return self._read_pipe()

    def _read_pipe(self) -> bytes:
        try:
            return os.read(self._pipe_fds[0], _READ_BYTES) if self._pipe_fds else b""
        except BlockingIOError:
            return b""

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.must_end = True
