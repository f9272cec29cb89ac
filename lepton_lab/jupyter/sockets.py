"""The WebSockets: the board of all runs and endpoints, and the live curve of one run.

Each socket has one task that sends: it waits for news, sends, and waits until the client has taken it. A slow
client gets fewer and larger messages, never a queue of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lepton_lab.errors import LeptonError, SpecError
from lepton_lab.jupyter import boardnews, commands
from lepton_lab.jupyter.base import RESOURCE, status_of
from lepton_lab.jupyter.hub import StoreHub
from lepton_lab.runs.frames import pack_frame
from lepton_lab.runs.record import RunRecord
from lepton_lab.words import told

BOARD_SECONDS, FRAME_SECONDS = 0.1, 0.04
"""Shortest time between two messages to one client: of the board; of a run, whose curve moves 20 times a second."""
HEARTBEAT_SECONDS = 4.0
"""Longest time without a message on a run's socket: clients take a longer silence for a lost link."""
MOST_MESSAGE_BYTES = 65_536


class LeptonSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Base of the sockets: the login, the authorizer, the origin, and the task that sends."""

    auth_resource = RESOURCE

    def initialize(self, hub: StoreHub) -> None:
        """Takes the hub that the route was made with."""
        self.hub = hub
        self._sender: asyncio.Task[None] | None = None

    @ws_authenticated
    async def get(self, *args: str) -> None:
        """Opens the socket for a user who may read; others get 403, an unknown run 404."""
        if not await self._may("read"):
            raise web.HTTPError(403)
        await self.check_target(*args)
        await super().get(*args)

    async def check_target(self, *args: str) -> None:
        """Raises an HTTP error where there is nothing to open."""

    def open(self, *args: str) -> None:
        """Starts the task that sends."""
        super().open(*args)
        self._sender = asyncio.get_running_loop().create_task(self._send_until_closed(*args))

    def on_close(self) -> None:
        """Ends the task that sends."""
        if self._sender is not None:
            self._sender.cancel()
        super().on_close()

    async def _send_until_closed(self, *args: str) -> None:
        try:
            await self.send_news(*args)
        except WebSocketClosedError:
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:
            sentence = str(error) if isinstance(error, LeptonError) else "The server met an error; its log says which."
            self.log.warning("lepton_lab: %s closed: %r", self.request.path, error)
            self.close(1011, sentence[:120])

    async def send_news(self, *args: str) -> None:
        """Sends for as long as the socket is open."""
        raise NotImplementedError

    async def _may(self, action: str) -> bool:
        return bool(await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)))


class BoardSocket(LeptonSocket):
    """`ws`: the board as `{"type": "state", "defaults", "runs", "endpoints", "devices"}`, then whatever is other.

    `{"type": "change", "runs": those that are new or other than before, "gone": names, "endpoints", "devices"}`. A run
    that is new tells the fields that are not at their default; one that is known, the fields that have changed. Of
    very many runs the first message holds those at work and the newest; the next ones bring the others.
    """

    async def send_news(self, *args: str) -> None:
        """Sends the board whenever it is another one than the last that was sent."""
        with self.hub.watching_board() as changed:
            sent: dict[str, dict[str, Any]] | None = None
            while True:
                changed.clear()
                board = await self.hub.board()
                sent, news = await self.hub.in_thread(boardnews.since, sent, board)
                for message in news:
                    await self.write_message(await self.hub.in_thread(json.dumps, message))
                await asyncio.sleep(BOARD_SECONDS)
                await changed.wait()

    def on_message(self, message: str | bytes) -> None:
        """Nothing is asked of this socket."""


class RunSocket(LeptonSocket):
    """`runs/<id>/ws`: the run's curve as binary frames; takes `hello` (all again) and commands."""

    async def check_target(self, *args: str) -> None:
        """404 for a run that does not exist."""
        try:
            await self.hub.in_thread(RunRecord.find, self.hub.store, args[0])
        except LeptonError as error:
            raise web.HTTPError(status_of(error), str(error)) from None

    async def send_news(self, *args: str) -> None:
        """Sends a full frame, then what is new, and an empty frame now and then so that silence means loss."""
        self._wants_all = True
        with self.hub.watching_run(args[0]) as (feed, self._changed):
            sent: dict[str, int] | None = None
            while True:
                self._changed.clear()
                if self._wants_all:
                    self._wants_all, sent = False, None
                header, numbers = await self.hub.in_thread(feed.frame, sent)
                await self.write_message(pack_frame(header, numbers), binary=True)
                sent = {series["name"]: series["start"] + series["count"] for series in header["series"]}
                sent["seq"] = header["seq"]
                await asyncio.sleep(FRAME_SECONDS)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), HEARTBEAT_SECONDS)

    async def on_message(self, message: str | bytes) -> None:
        """Takes one message of the client; a wrong one is answered with the reason."""
        try:
            await self._take(message)
        except LeptonError as error:
            reason = getattr(error, "reason", type(error).__name__)
            await self._answer(told({"type": "error", "message": str(error), "reason": reason}))

    async def _take(self, message: str | bytes) -> None:
        body = _parse(message)
        if body.get("type") == "hello":
            self._wants_all = True
            self._changed.set()
        elif body.get("type") == "command":
            if not await self._may("write"):
                raise SpecError("You may watch this run, but not command it.")
            command = {key: value for key, value in body.items() if key != "type"}
            given = await self.hub.in_thread(commands.give, self.hub.store, self.path_args[0], command)
            await self._answer({"type": "accepted", **given})
            self.hub.look_now()
        else:
            raise SpecError(f"A message of type {body.get('type')!r} is not known; send hello or command.")

    async def _answer(self, body: dict[str, Any]) -> None:
        with contextlib.suppress(WebSocketClosedError):
            await self.write_message(json.dumps(body))


def _parse(message: str | bytes) -> dict[str, Any]:
    if not isinstance(message, str) or len(message) > MOST_MESSAGE_BYTES:
        raise SpecError("A message is JSON text of at most 64 KiB.")
    try:
        body = json.loads(message)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SpecError(f"The message is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise SpecError(f"The message is a JSON {type(body).__name__}; send an object.")
    return body
