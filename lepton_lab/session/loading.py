"""What a person sees while data is loaded, and how they cancel it.

A terminal gets one line that is rewritten, a notebook one bar that is updated and goes when it is done; whoever draws
for itself (the studio) listens. Loads that are over in a moment show nothing. Ctrl-C and the kernel's interrupt button
cancel; so does `cancel`, from any thread. What was half done is thrown away either way.
"""

from __future__ import annotations

import html
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

from lepton_lab.errors import DataError
from lepton_lab.words import say

Listener = Callable[[str, float | None], None]
"""Told what is being done, and which share of it (None where that is unknown); "" when it is over."""

_PATIENCE_SECONDS = 0.5
_BETWEEN_SECONDS = 0.1
_BAR_CELLS = 20


class Cancelled(DataError):
    """A person has cancelled the loading of data."""

    exit_code = 130
    """What a terminal's program ends with, as after any Ctrl-C."""


class LoadProgress:
    """Shows the progress of one load; a context manager that is called with what is being done.

    Args:
        title: What is loaded, for the word when it is cancelled.
        is_notebook: Whether a notebook shows it; else a terminal, if there is one.
        listener: Draws instead of this class.
        cancelled: Set to cancel.
        out: The terminal; standard error by default.
    """

    def __init__(
        self,
        title: str,
        *,
        is_notebook: bool = False,
        listener: Listener | None = None,
        cancelled: threading.Event | None = None,
        out: TextIO | None = None,
    ) -> None:
        self._title, self._cancelled = title, cancelled or threading.Event()
        self._began = self._drawn_at = time.monotonic()
        self._draw = listener or (_Bar() if is_notebook else _Line(out or sys.stderr))
        self._shown = False

    def __call__(self, what: str, fraction: float | None) -> None:
        """Takes a step's progress.

        Raises:
            Cancelled: When a person has cancelled.
        """
        if self._cancelled.is_set():
            raise self._said()
        now = time.monotonic()
        wait = _BETWEEN_SECONDS if self._shown else _PATIENCE_SECONDS
        if now - self._drawn_at >= wait:
            self._draw(what, fraction)
            self._drawn_at, self._shown = now, True

    def __enter__(self) -> LoadProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._shown:
            self._draw("", None)
        if kind is KeyboardInterrupt:  # Ctrl-C, or the kernel's interrupt button
            raise self._said() from None

    def _said(self) -> Cancelled:
        return Cancelled(f"Loading {self._title} was cancelled; nothing of it was kept.")


def bar_text(what: str, fraction: float | None) -> str:
    """Progress in one line."""
    if fraction is None:
        return f"{say(what)} ..."
    filled = round(_BAR_CELLS * min(1.0, max(0.0, fraction)))
    return f"{say(what)}  {'━' * filled}{'╌' * (_BAR_CELLS - filled)}  {fraction:.0%}"


class _Line:
    """One line of a terminal; where the output is none, a line when something new is done."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._live, self._said = out, out.isatty(), ""

    def __call__(self, what: str, fraction: float | None) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._out.write("\r\x1b[2K" + (bar_text(what, fraction)[:width] if what else ""))
            self._out.flush()
        elif what and what.split(":")[0] != self._said:
            self._said = what.split(":")[0]
            print(f"{say(what)} ...", file=self._out, flush=True)


class _Bar:
    """One output of a notebook cell that is updated, and empty when it is over."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, what: str, fraction: float | None) -> None:
        from IPython.display import display

        share = "" if fraction is None else f' value="{fraction:.3f}"'
        shown = f"<progress{share}></progress> {html.escape(say(what))}" if what else ""
        bundle = {"text/html": shown, "text/plain": bar_text(what, fraction) if what else ""}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
