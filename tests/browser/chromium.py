"""The system's Chromium, and a page that counts every error against the test."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

from lepton_lab.runs.frames import unpack_frame

PAGE_MS = 60_000
"""Longest time that a page may take over a click, a load or a picture."""
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What the hosts say on their own, with every extension switched off too; each is matched whole.
KNOWN_NOISE = [
    # Notebook 7.6: its shortcut plugin is told of a settings plugin that is still being loaded.
    re.compile(
        r"uncaught: TypeError: Cannot read properties of undefined \(reading 'schema'\)\s[\s\S]*notebook_core[\s\S]*"
    )
]


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome, or None."""
    named = os.environ.get("LEPTON_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if os.path.exists(MAC) else None)


class Watched:
    """A page whose console errors, uncaught errors, failed requests and requests to other hosts are kept.

    Args:
        browser: The browser.
        dark: Whether the system prefers dark pages.
        width: Of the window, in pixels; `height` too.
        locale: The language that the browser asks for; None: the machine's.
        allow: Troubles that are part of the test, as regular expressions that match the whole sentence.
    """

    def __init__(
        self,
        browser: Browser,
        *,
        dark: bool = False,
        width: int = 1280,
        height: int = 860,
        locale: str | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        self.troubles: list[str] = []
        self._allowed = [*KNOWN_NOISE, *map(re.compile, allow)]
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale=locale,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(PAGE_MS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._add(f"uncaught: {error.stack or error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)
        self.page.on("request", self._request)
        self.page.on("websocket", self._websocket)
        self.frames: list[list[dict[str, Any]]] = []
        """The headers of the curve frames that came over each WebSocket of the server extension, oldest first."""
        self._patient = False

    def expect_losses(self) -> None:
        """From now on lost connections are part of the test: a server or a kernel is about to be killed."""
        self._patient = True

    def close(self) -> None:
        """Closes the page; what was seen stays."""
        self._patient = True
        self.context.close()

    def shoot(self, name: str, target: Any = None) -> Path:
        """Keeps a picture of the page, or of one element, under tests/artifacts."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        (target or self.page).screenshot(path=path)
        return path

    def _add(self, trouble: str) -> None:
        if not self._patient and not any(noise.fullmatch(trouble) for noise in self._allowed):
            self.troubles.append(trouble)

    def _websocket(self, socket: WebSocket) -> None:
        if "/lepton-lab/api/runs/" in socket.url:
            headers: list[dict[str, Any]] = []
            self.frames.append(headers)
            socket.on("framereceived", lambda payload: _keep_header(headers, payload))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._add(f"console: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page itself went away, or asked twice
            self._add(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._add(f"{response.status}: {response.request.method} {response.url}")

    def _request(self, request: Request) -> None:
        if not re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:|about:", request.url):
            self._add(f"left the machine: {request.url}")


def _keep_header(headers: list[dict[str, Any]], payload: str | bytes) -> None:
    if isinstance(payload, bytes):
        headers.append(unpack_frame(payload)[0])
