"""Who comes to a door of the worker: strangers, who are sent away, and ranks, who show the run's key."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

PROOF_SECONDS = 10.0
"""Whoever has not shown the key by then is sent away."""

MOST_AT_ONCE = 256
"""So many may be asked for the key at the same time; who comes then waits."""

RETRY_SECONDS = 0.1


class Door:
    """A door on a host's address, at which many may be asked for the key at once.

    A `multiprocessing.connection.Listener` asks one after the other, so that a stranger who says nothing would keep
    everybody out.

    Args:
        host: The address.
        key: What whoever is let in shows, and is shown.
        take: Called with the wire to each who has shown it, from threads of their own.
        name: What the threads are called.

    Attributes:
        address: Where the door is.
    """

    def __init__(self, host: str, key: bytes, take: Callable[[Connection], object], name: str) -> None:
        self._socket = socket.create_server((host, 0), backlog=64)
        self._key, self._take, self._name = key, take, name
        self._places, self._is_closed = threading.Semaphore(MOST_AT_ONCE), threading.Event()
        self.address: tuple[str, int] = self._socket.getsockname()
        threading.Thread(target=self._accept, name=name, daemon=True).start()

    @property
    def is_open(self) -> bool:
        """Whether anybody is let in."""
        return not self._is_closed.is_set()

    def close(self) -> None:
        """Lets nobody in any more."""
        self._is_closed.set()
        with suppress(OSError), self._socket:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who waits for the next one

    def _accept(self) -> None:
        while True:
            self._places.acquire()
            try:
                wire, _ = self._socket.accept()
            except OSError:  # the door is closed; or who came has gone, or too many files are open
                self._places.release()
                if self._is_closed.wait(RETRY_SECONDS):
                    return
                continue
            connection = Connection(wire.detach())
            threading.Thread(target=self._admit, args=(connection,), name=self._name, daemon=True).start()

    def _admit(self, connection: Connection) -> None:
        try:
            is_known = _shows(connection, self._key)
        finally:
            self._places.release()
        if is_known and self.is_open:
            self._take(connection)
        else:
            connection.close()


def _shows(connection: Connection, key: bytes) -> bool:
    """Whether who is at the other end shows the key in time; it is shown, too."""
    patience = threading.Timer(PROOF_SECONDS, hang_up, [connection])
    patience.daemon = True
    patience.start()
    try:
        deliver_challenge(connection, key)
        answer_challenge(connection, key)
    except (AuthenticationError, EOFError, OSError):
        return False
    finally:
        patience.cancel()
    return True


def hang_up(connection: Connection) -> None:
    """Ends a wire at both ends, whoever is reading from it."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other end has hung up already
