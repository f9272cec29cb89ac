"""Limits of the connection itself: endless or slow heads and slow readers are cut; uvicorn has none of its own.

The body's deadline is in `requests.read_body`; this covers what happens before and after it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 9.0
"""Longest time from the first byte of a request to the end of its head."""
READ_SECONDS = 9.0
"""Longest time that a client may leave an answer unread."""

MAX_HEAD_BYTES = 64 * 2**10
"""Longest head of a request; the parser itself would take any."""
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 connection with a deadline for each request's head and for a stalled reader."""

    head_timer: asyncio.TimerHandle | None = None
    head_bytes = 0
    is_in_head = True
    reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client that connects and says nothing counts as slow, too."""
        super().connection_made(transport)
        self.head_timer = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; a head that is not whole by now gets a deadline, one that does not end is refused."""
        super().data_received(data)
        if not self.is_in_head or self.parser is None:
            self.head_bytes = 0
            return
        if self.head_timer is None:
            self.head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
        self.head_bytes += len(data)
        if self.head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request is here."""
        super().on_message_begin()
        self.is_in_head = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.end_head()
        super().on_headers_complete()

    def end_head(self) -> None:
        """No head is awaited any more."""
        self.is_in_head = False
        self._stop_head_timer()

    def pause_writing(self) -> None:
        """The client does not read; its buffer is full."""
        super().pause_writing()
        self.reader_timer = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._stop_reader_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, and its timers with it."""
        self._stop_head_timer()
        self._stop_reader_timer()
        super().connection_lost(exc)

    def _stop_head_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _stop_reader_timer(self) -> None:
        if self.reader_timer is not None:
            self.reader_timer.cancel()
            self.reader_timer = None
