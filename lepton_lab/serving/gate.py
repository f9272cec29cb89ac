"""The closed door before every route: key, place in the queue, measure, and a plain answer to every failure.

Only the try-it page itself (`/`, no data in it) opens without a key. A path that does not exist is closed, too:
without a key nobody learns what is there.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from lepton_lab.runs.endpoints import KeyRecord
from lepton_lab.serving.host import Host
from lepton_lab.serving.keys import key_from_headers
from lepton_lab.serving.rates import Rates
from lepton_lab.serving.requests import RequestError, Ticket
from lepton_lab.serving.usage import UsageMeter

if TYPE_CHECKING:
    from lepton_lab.serving.express import Lane

log = logging.getLogger("lepton_lab.serving")

OPEN_PATHS = frozenset({"/"})
RESTING_PATHS = frozenset({"/", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready"})
"""What a sleeping endpoint answers without waking."""
SAFE_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Gate:
    """The outermost layer of the server.

    Args:
        router: The routes behind the door; it leaves every failure to the gate, which answers all of them alike.
        host: The endpoint.
        usage: The accounts.
    """

    def __init__(self, router: Router, host: Host, usage: UsageMeter) -> None:
        self.router, self._host, self._usage = router, host, usage
        self.lane: Lane | None = None
        """The short way of the inference call, where the server has one (see `express`)."""
        self._rates = Rates(host.folder / "rates.bin" if host.watch.record.processes > 1 else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one connection's event."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        watched = _Watched(send)
        ticket = None
        scope["app"] = self
        try:
            if scope["path"] not in OPEN_PATHS:
                ticket = scope["lepton"] = self.authenticate(scope["headers"])
            await self._pass(scope, receive, watched)
        except Exception as error:  # the boundary: whatever happens inside, the client gets one plain sentence
            await self._refuse(error, scope, watched)
        finally:
            self.account(ticket, scope["method"], watched.status, time.perf_counter() - started)

    def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Ticket:
        """The ticket of a request with these headers, if its key is good at this moment.

        Raises:
            RequestError: 401 if it is not.
        """
        self._host.watch.refresh()
        key = self._host.watch.keys.check(key_from_headers(headers))
        if key is None:
            raise RequestError(
                401,
                "A valid API key is needed: send it as 'Authorization: Bearer lpt_...' or 'X-API-Key: lpt_...'.",
                www_authenticate="Bearer",
            )
        return Ticket(key)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the route; whatever does work takes a place in the queue first."""
        if scope["method"] == "POST":
            if "lepton" in scope:
                self.keep_to_rate(scope["lepton"].key)
            with self._host.admitted():
                if self._host.asleep:
                    await self._host.wake()
                await self.router(scope, receive, send)
        else:
            if self._host.asleep and scope["path"] not in RESTING_PATHS:
                await self._host.wake()
            await self.router(scope, receive, send)

    def keep_to_rate(self, key: KeyRecord) -> None:
        """Sends a key away that asks more often than it may.

        Raises:
            RequestError: 429 with the time to wait.
        """
        wait_seconds = self._rates.wait_seconds(key, time.monotonic())
        if wait_seconds > 0:
            self._host.metrics.rate_limited += 1
            raise RequestError(
                429,
                f"This key may ask {key.requests_per_minute} times a minute; wait {math.ceil(wait_seconds)} s.",
                retry_after=str(math.ceil(wait_seconds)),
            )

    async def _refuse(self, error: Exception, scope: Scope, watched: _Watched) -> None:
        """Answers a failure, unless the answer has begun."""
        refused = self.refusal(error, scope["method"], scope["path"])
        if watched.status:
            return
        asked = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        body = refused.body(asked)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += refused.header_lines()
        await watched({"type": "http.response.start", "status": refused.status, "headers": headers})
        await watched({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def refusal(self, error: Exception, method: str, path: str) -> RequestError:
        """What a client is told of a failure; one of our own is written to the log and told in general words."""
        if isinstance(error, HTTPException):
            return RequestError(error.status_code, _http_sentence(error, method, path), **dict(error.headers or {}))
        if isinstance(error, RequestError):
            return error
        log.error("%s failed: %s", method, type(error).__name__, exc_info=error)
        return RequestError(500, "The endpoint failed on this request; its server.log says where.")

    def account(self, ticket: Ticket | None, method: str, status: int, seconds: float) -> None:
        """Writes the request into metrics, the key's account and the access log."""
        route, host = ticket.route if ticket else "closed", self._host
        host.metrics.observe_request(route, status, seconds)
        rows = 0
        if ticket:
            rows = ticket.rows
            self._usage.count(ticket.key.id, rows=rows, compute_seconds=ticket.compute_seconds)
        host.access.note(ticket.key.id if ticket else None, method, route, status, rows, seconds, host.version)


class _Watched:
    """A `send` that remembers the status and adds the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *SAFE_HEADERS]
        await self._send(message)


def _http_sentence(error: HTTPException, method: str, path: str) -> str:
    """A plain sentence for a routing failure."""
    path = path[:100]
    if error.status_code == 404:
        return f"There is nothing at {path!r}; /openapi.json lists what there is."
    if error.status_code == 405:
        return f"{path!r} does not take {method[:10]}; it takes {(error.headers or {}).get('Allow', 'another')}."
    return str(error.detail)
