"""Locks between processes: an exclusive `flock` on a file, let go by the system when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path
from types import TracebackType

_RETRY_SECONDS = 0.01  # there is no flock with a deadline


class FileLock:
    """An exclusive lock on a file that is never deleted.

    Args:
        path: The file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    @property
    def is_current(self) -> bool:
        """Whether the lock is held on the file that has its name now: not so if the folder was removed or made anew."""
        if self._fd is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # it cannot be looked at now, which says nothing
            return True

    def acquire(self, wait_seconds: float = 0.0) -> bool:
        """Takes the lock, waiting so long at most; returns whether it is held now.

        Raises:
            OSError: If the file cannot be opened.
        """
        if self.held:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    return False
                time.sleep(_RETRY_SECONDS)
            except BaseException:
                os.close(fd)
                raise
            else:
                self._fd = fd
                _held.add(self)
                return True

    def release(self) -> None:
        """Lets the lock go; safe to repeat."""
        fd, self._fd = self._fd, None
        _held.discard(self)
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A forked child shares the open file; did it keep it, the lock would outlive its holder's death.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_let_go_in_child)
