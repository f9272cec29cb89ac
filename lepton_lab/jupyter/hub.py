"""The one watch of a server on its store: looks at files, tells the sockets.

`StoreHub` owns the thread and the rhythm; `BoardScan` knows how the list of runs and endpoints is read, `RunFeed`
how one run is followed. Sockets hold an `asyncio.Event` each, which is set when there is something new to send.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lepton_lab.jupyter.board import BoardScan
from lepton_lab.jupyter.feed import RunFeed
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.summary import DEFAULTS

FEED_SECONDS = 0.03
"""Time between two looks at a run that somebody watches."""
BOARD_SECONDS = 0.5
"""Time between two looks at the list while a panel is open."""
RESTS_PER_LOOK = 5
"""A look at very many runs is followed by a longer rest, unless something was changed through this server."""
IDLE_SECONDS = 2.0
"""Time between two looks when nobody watches; only the supervisor is cared for."""

T = TypeVar("T")


class StoreHub:
    """Watches one store for all sockets of a server.

    Args:
        store: The run store.
        log: The server's log.
        supervise: Whether to start a supervisor when something in the store needs one.
    """

    def __init__(self, store: Store, log: logging.Logger, *, supervise: bool = True) -> None:
        self.store = store
        self._supervise = supervise
        self._log = log
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="lepton-store")
        self._scan = BoardScan(store)
        self._board: dict[str, Any] | None = None
        self._board_due = 0.0
        self._is_rough = True
        self._board_watchers: set[asyncio.Event] = set()
        self._feeds: dict[str, RunFeed] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_trouble = ""

    def start(self) -> None:
        """Begins to watch; safe to repeat."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Ends the watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Calls a function that reads or writes the store, away from the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(function, *args))

    def look_now(self) -> None:
        """Looks at the store at once: something was just changed through this server."""
        self._board_due = 0.0
        self._is_rough = False
        self._wake.set()

    async def runs(self, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """The summaries of all runs as they are now, newest first, or of a part of them."""
        runs: list[dict[str, Any]] = (await self.in_thread(self._scan.look))["runs"]
        end = None if limit is None else offset + limit
        return await self.in_thread(lambda: [{**DEFAULTS, **run} for run in runs[offset:end]])

    async def board(self) -> dict[str, Any]:
        """Runs, endpoints and devices as last seen."""
        if self._board is None:
            self._board = await self.in_thread(self._scan.look)
        return self._board

    @contextlib.contextmanager
    def watching_board(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever the board has changed."""
        changed = asyncio.Event()
        self._board_watchers.add(changed)
        self.start()
        self.look_now()
        try:
            yield changed
        finally:
            self._board_watchers.discard(changed)

    @contextlib.contextmanager
    def watching_run(self, run_id: str) -> Iterator[tuple[RunFeed, asyncio.Event]]:
        """The feed of a run, shared by all who watch it, and an event that is set when it has grown."""
        feed = self._feeds.setdefault(run_id, RunFeed(self.store, run_id))
        changed = asyncio.Event()
        feed.watchers.add(changed)
        self.start()
        self._wake.set()
        try:
            yield feed, changed
        finally:
            feed.watchers.discard(changed)
            if not feed.watchers:
                self._feeds.pop(run_id, None)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pause_seconds())
            self._wake.clear()
            try:
                await self._look()
                self._last_trouble = ""
            except Exception as error:  # a watch that dies is worse than one that says what it met
                if str(error) != self._last_trouble:
                    self._last_trouble = str(error)
                    self._log.warning("lepton_lab: the run store %s cannot be read: %s", self.store.root, error)

    def _pause_seconds(self) -> float:
        if self._feeds:
            return FEED_SECONDS
        return BOARD_SECONDS if self._board_watchers else IDLE_SECONDS

    async def _look(self) -> None:
        feeds = list(self._feeds.values())
        grown = await self.in_thread(lambda: [feed for feed in feeds if feed.refresh()])
        for feed in grown:
            for changed in feed.watchers:
                changed.set()
        now = time.monotonic()
        if now >= self._board_due:
            self._board_due = now + (BOARD_SECONDS if self._board_watchers else IDLE_SECONDS)
            await self._look_at_board()
            rest = RESTS_PER_LOOK * (time.monotonic() - now)
            self._board_due = max(self._board_due, time.monotonic() + rest) if self._is_rough else 0.0

    async def _look_at_board(self) -> None:
        roughly, self._is_rough = self._is_rough, True
        board = await self.in_thread(functools.partial(self._scan.look, roughly=roughly))
        if board != self._board:
            self._board = board
            for changed in self._board_watchers:
                changed.set()
        if self._supervise and self._scan.needs_supervisor:
            await self.in_thread(ensure_supervisor, self.store)
