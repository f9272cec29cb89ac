"""What every REST handler of the extension shares: the login, the JSON body, and errors with the right status."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from lepton_lab.errors import LeptonError, ServingError, SpecError, StoreError, UnknownName
from lepton_lab.jupyter.hub import StoreHub
from lepton_lab.words import say, speaking

RESOURCE = "lepton_lab"

P = ParamSpec("P")


def status_of(error: LeptonError) -> int:
    """The HTTP status that says the same as an exception of ours."""
    if isinstance(error, UnknownName):
        return 404
    if isinstance(error, SpecError):
        return 400
    if isinstance(error, StoreError):
        return 507 if getattr(error, "reason", None) == "disk_full" else 500
    if isinstance(error, ServingError):
        return 502
    return 409


def closed(method: Callable[Concatenate[Any, P], Awaitable[None]]) -> Callable[Concatenate[Any, P], Awaitable[None]]:
    """A handler's method behind the Jupyter login and its authorizer."""
    inner: Callable[Concatenate[Any, P], Awaitable[None]] = authorized(method)
    return cast(Callable[Concatenate[Any, P], Awaitable[None]], web.authenticated(inner))


class LeptonHandler(APIHandler):
    """Base of the REST handlers. Errors are `{"message", "reason"}` with the status that fits."""

    auth_resource = RESOURCE

    def initialize(self, hub: StoreHub) -> None:
        """Takes the hub that the route was made with."""
        self.hub = hub

    async def prepare(self) -> None:  # type: ignore[override]
        """Hands out the XSRF cookie with every answer: a page that is not Lab's (Voilà's) has no other place for it."""
        await super().prepare()
        _ = self.xsrf_token

    def reply(self, body: Any, status: int = 200) -> None:
        """Answers with JSON."""
        self.set_status(status)
        self.finish(json.dumps(body))

    def body_json(self) -> dict[str, Any]:
        """The request's body.

        Raises:
            SpecError: If it is not one JSON object.
        """
        try:
            body = json.loads(self.request.body)
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SpecError(f"The body is not JSON ({error}); send an object such as {{}}.") from None
        if not isinstance(body, dict):
            raise SpecError(f"The body is a JSON {type(body).__name__}; send an object such as {{}}.")
        return body

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Says what went wrong in one sentence; nothing of the inside leaks."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        message, reason = "The server could not answer; its log says why.", "error"
        if isinstance(error, LeptonError):
            status_code = status_of(error)
            with speaking(self.request.headers.get("Accept-Language")):
                message = say(str(error))
            reason = getattr(error, "reason", type(error).__name__)
        elif isinstance(error, web.HTTPError):
            message, reason = error.log_message or error.reason or f"HTTP {status_code}", "http"
        self.set_status(status_code)
        self.finish(json.dumps({"message": message, "reason": reason}))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """An error that is ours is an answer, not a fault of the server: no traceback in its log."""
        if isinstance(value, LeptonError):
            self.log.info("%s: %s", self.request.path, value)
        else:
            super().log_exception(typ, value, tb)
