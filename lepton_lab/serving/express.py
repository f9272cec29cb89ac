"""The short way of the inference call: from the parsed request to the batch, and from the batch to the socket.

A small `POST /v2/models/NAME/infer` that has arrived whole needs no task, no routing and no messages between layers.
The `Lane` does for it what `gate` and `app` do for every other request, with their own functions, and the connection
writes head and body at once. Whatever is out of the ordinary (a large or compressed body, one that comes in parts, a
sleeping endpoint, a client that pipelines or does not read) goes the usual way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from lepton_lab.serving import codec_v2
from lepton_lab.serving.batcher import Answer
from lepton_lab.serving.codec_v2 import InferRequest
from lepton_lab.serving.deadlines import DeadlineProtocol
from lepton_lab.serving.host import Host, Served
from lepton_lab.serving.requests import INLINE_BYTES, RequestError, Ticket
from lepton_lab.serving.settling import Settling

if TYPE_CHECKING:
    import asyncio

    from lepton_lab.serving.gate import Gate

ROUTE = "/v2/models/{model}/infer"
_LENGTH = codec_v2.HEADER_LENGTH.lower().encode()
_UNUSUAL = (b"content-encoding", b"transfer-encoding", b"expect", b"upgrade")
_JSON = b"content-type: application/json\r\n"
_SAFE = b"x-content-type-options: nosniff\r\ncache-control: no-store\r\n"
Headers = list[tuple[bytes, bytes]]
Reply = Callable[[int, bytes, bytes], None]
"""Takes the status, the lines of the head and the body of an answer."""


class Lane:
    """The inference call of one endpoint.

    Args:
        gate: Keys, rates, refusals and accounts.
        host: The endpoint.
        settling: Counts what the network answers.
    """

    def __init__(self, gate: Gate, host: Host, settling: Settling) -> None:
        self._gate, self._host, self._settling = gate, host, settling
        self._path = f"/v2/models/{host.name}/infer"
        self.url = self._path.encode()

    def takes(self, headers: Headers) -> bool:
        """Whether a request to `url` with these headers can go this way."""
        named = dict(headers)
        length = named.get(b"content-length", b"")
        is_small = length.isdigit() and len(length) < 9 and int(length) <= INLINE_BYTES
        return is_small and not self._host.asleep and not any(name in named for name in _UNUSUAL)

    def ask(self, headers: Headers, body: bytes, reply: Reply) -> None:
        """Answers a request, now or when its batch is done.

        Args:
            headers: Its headers, names in lower case.
            body: The whole body.
            reply: Called once.
        """
        call = _Call(self, reply)
        try:
            call.ticket = ticket = self._gate.authenticate(headers)
            ticket.route = ROUTE
            self._gate.keep_to_rate(ticket.key)
            self._host.admit()
            call.is_admitted = True
            call.served = served = self._host.pick()
            length = next((value for name, value in headers if name == _LENGTH), None)
            call.asked = served.decoder.decode(body, length)
            served.batcher.submit(call.asked.inputs).add_done_callback(call.finish)
        except Exception as error:  # the boundary, as in the gate
            call.refuse(error)


class _Call:
    """One request on its way."""

    __slots__ = ("_lane", "_reply", "_started", "asked", "is_admitted", "served", "ticket")
    asked: InferRequest
    served: Served

    def __init__(self, lane: Lane, reply: Reply) -> None:
        self._lane, self._reply = lane, reply
        self._started = time.perf_counter()
        self.ticket: Ticket | None = None
        self.is_admitted = False

    def finish(self, future: asyncio.Future[Answer]) -> None:
        """Sends the scores, or says why there are none."""
        lane, served, ticket = self._lane, self.served, self.ticket
        try:
            error = future.exception()
            if error is not None:
                raise lane._settling.failed(served, error) if isinstance(error, Exception) else error
            answer = future.result()
            if ticket is not None:
                lane._settling.answered(served, self.asked.inputs, answer, ticket)
            name, number = lane._host.name, served.version.version
            output = served.bundle.manifest.output.name
            body, headers = codec_v2.encode(answer.scores, self.asked, model=name, version=number, output=output)
            lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
            self._close(200, lines.encode("latin-1"), body)
        except Exception as error:
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Sends a failure in one plain sentence."""
        refused: RequestError = self._lane._gate.refusal(error, "POST", self._lane._path)
        lines = b"".join(b"%s: %s\r\n" % line for line in refused.header_lines())
        self._close(refused.status, _JSON + lines, refused.body())

    def _close(self, status: int, lines: bytes, body: bytes) -> None:
        lane = self._lane
        if self.is_admitted:
            lane._host.in_flight -= 1
        self._reply(status, lines, body)
        lane._gate.account(self.ticket, "POST", status, time.perf_counter() - self._started)


class _Cycle:
    """What uvicorn's connection wants to know of a request that it does not answer itself."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    def __init__(self) -> None:
        self.response_complete, self.disconnected, self.keep_alive = False, False, True

    @property
    def message_event(self) -> _Cycle:
        """Nobody waits for the body."""
        return self

    def set(self) -> None:
        """Wakes nobody."""


class ExpressProtocol(DeadlineProtocol):
    """A connection that lets small inference calls take the `Lane` of its application."""

    _held: list[bytes] | None = None
    """The body so far of a request that may go the short way."""
    _lane: Lane | None = None

    def connection_made(self, transport: Any) -> None:
        """Looks up the lane."""
        super().connection_made(transport)
        self._lane = getattr(self.app, "lane", None)

    def on_headers_complete(self) -> None:
        """Holds a request back that may go the short way."""
        if (
            self._lane is not None
            and self.url == self._lane.url
            and self._is_plain()
            and self._lane.takes(self.headers)
        ):
            self.end_head()
            self._held = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Gathers what is held back."""
        if self._held is not None:
            self._held.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A held request is whole: off it goes."""
        if self._held is None or self._lane is None:
            super().on_message_complete()
            return
        body = b"".join(self._held)
        self._held = None
        cycle = _Cycle()
        self.cycle = cycle  # type: ignore[assignment]

        def reply(status: int, lines: bytes, body: bytes) -> None:
            self._answer(cycle, status, lines, body)

        self._lane.ask(self.headers, body, reply)

    def data_received(self, data: bytes) -> None:
        """What is not whole by now goes the usual way, where deadlines watch over it."""
        super().data_received(data)
        if self._held is not None and self.parser is not None:
            parts, self._held = self._held, None
            super().on_headers_complete()
            for part in parts:
                super().on_body(part)

    def _is_plain(self) -> bool:
        """Whether nothing else is going on at this connection."""
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and (self.limit_concurrency is None or len(self.connections) < self.limit_concurrency)
        )

    def _answer(self, cycle: _Cycle, status: int, lines: bytes, body: bytes) -> None:
        """Writes an answer whole."""
        if cycle.disconnected or self.transport.is_closing():
            return
        head = [STATUS_LINE[status]]
        head += [b"%s: %s\r\n" % line for line in self.server_state.default_headers]
        if not cycle.keep_alive:
            head.append(b"connection: close\r\n")
        head += [lines, _SAFE, b"content-length: %d\r\n\r\n" % len(body), body]
        self.transport.write(b"".join(head))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
