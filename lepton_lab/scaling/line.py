"""The line from rank 0 to the worker, who alone holds the run's lock and writes its events.

Each word is answered, so an event is as durable when `append` returns as in one process, and what went wrong (a full
disk) is raised where it is known how to deal with it. A rank that is killed in the middle of a word leaves a broken
word, of which nothing is written.
"""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.training.progress import Events


class Line:
    """Rank 0's end: events as the training loop writes them, and what came out.

    Args:
        connection: This end of the pipe.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Has one event written and returns its number.

        Raises:
            StoreError: It could not be written.
        """
        return int(self.report("event", {"type": event_type, "fields": fields}))

    def flush(self) -> None:
        """Has all that was written made durable.

        Raises:
            StoreError: That was not possible.
        """
        self.report("flush", {})

    def report(self, kind: str, said: dict[str, Any]) -> Any:
        """Says something and returns the answer."""
        self._connection.send((kind, said))
        answer, trouble = self._connection.recv()
        if trouble is not None:
            raise StoreError(trouble[0], reason=trouble[1])
        return answer


class Silence:
    """Where the events of the other ranks go: each of them counts the same as rank 0, who writes them."""

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes nothing."""
        return 0

    def flush(self) -> None:
        """Does nothing."""


class Listener:
    """The worker's end: writes events, and keeps what came out.

    Args:
        events: The run's writer.

    Attributes:
        said: What rank 0 has said last, by kind: "compared", "failed", "ended".
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.said: dict[str, dict[str, Any]] = {}
        self._thread: threading.Thread | None = None

    def listen(self, connection: Connection) -> None:
        """Listens to a new rank 0 until it is gone; the one before has been heard to its end."""
        self.hear_out()
        self._thread = threading.Thread(target=self._hear, args=(connection,), name="rank-0", daemon=True)
        self._thread.start()

    def hear_out(self) -> None:
        """Returns when all that a rank 0 that is gone has said is written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _hear(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    kind, said = connection.recv()
                except Exception:  # the rank is gone, perhaps in the middle of a word
                    return
                answer, trouble = None, None
                try:
                    answer = self._take(kind, said)
                except StoreError as error:
                    trouble = (str(error), error.reason)
                try:
                    connection.send((answer, trouble))
                except OSError:
                    return

    def _take(self, kind: str, said: dict[str, Any]) -> int | None:
        if kind == "event":
            return self._events.append(said["type"], **said["fields"])
        if kind == "flush":
            self._events.flush()
        else:
            self.said[kind] = said
        return None
