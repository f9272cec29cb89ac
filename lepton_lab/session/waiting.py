"""What a terminal shows while it waits for a run: one line that is rewritten, or a few lines where nobody looks."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

from lepton_lab.errors import RunError
from lepton_lab.session.texts import count, metric, score, seconds, sparkline, state_word
from lepton_lab.words import _, say

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary

Watch = Callable[["RunSummary"], None]
LOOK_SECONDS = 0.2
"""How often a table on disk is looked at while somebody waits for it."""
ACTIVE = ("starting", "running")
_BAR_CELLS = 20


class HasState(Protocol):
    """A table on disk that a process of its own writes."""

    @property
    def state(self) -> str:
        """starting, running, finished, stopped or failed."""
        ...


TableT = TypeVar("TableT", bound=HasState)


def wait_for(
    look: Callable[[], TableT],
    timeout: float | None,
    watch: Callable[[TableT], None] | None,
    late: Callable[[TableT, str], str],
) -> TableT:
    """Looks at a table until the work behind it has ended, and gives its last form.

    Args:
        look: Reads the table.
        timeout: Seconds to wait at most.
        watch: Called with the table now and then.
        late: Says that it has not ended within so many seconds ("5 s").

    Raises:
        RunError: If it has not ended in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while (found := look()).state in ACTIVE:
        if watch:
            watch(found)
        if deadline is not None and time.monotonic() > deadline:
            raise RunError(late(found, f"{timeout:g} s"))
        time.sleep(LOOK_SECONDS)
    return found


class ProgressLine:
    """Draws a run's summary on one line of a terminal; where the output is no terminal, a line per tenth of it."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._said: tuple[str, int] | None = None

    def show(self, summary: RunSummary) -> None:
        """Draws where the run stands."""
        text = progress_text(summary)
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._out.write("\r\x1b[2K" + text[:width])
            self._out.flush()
            self._said = ("", 0)
            return
        step = (str(summary.state), int(10 * (summary.epoch or 0) / max(1, summary.epochs or 1)))
        if step != self._said:
            self._said = step
            print(text, file=self._out, flush=True)

    def close(self) -> None:
        """Ends the line."""
        if self._live and self._said:
            self._out.write("\n")
            self._out.flush()


def queued_words(summary: RunSummary) -> str:
    """What a queued run waits for, as a sentence's part."""
    ahead = (summary.queue_position or 1) - 1
    if ahead == 0:
        return _("queued, next")
    return _("queued, 1 run before it") if ahead == 1 else _(f"queued, {count(ahead)} runs before it")


def progress_text(summary: RunSummary) -> str:
    """A run's progress in one line."""
    state = str(summary.state)
    if state == "queued":
        return f"{summary.run_id}  {queued_words(summary)}"
    if state == "starting":
        starting = _(f"{summary.run_id}  starting the training process")
        return f"{summary.run_id}  {say(summary.message)}" if summary.message else starting
    if state == "failed":
        return _(f"{summary.run_id}: failed: {summary.message or summary.reason}")
    epochs = max(1, summary.epochs or 1)
    filled = round(_BAR_CELLS * min(1.0, (summary.epoch or 0.0) / epochs))
    left = _(f"{seconds(summary.seconds_left)} left")
    parts = [
        summary.run_id,
        "━" * filled + "╌" * (_BAR_CELLS - filled),
        _(f"epoch {int(summary.epoch or 0):>{len(str(epochs))}} of {epochs}"),
        _(f"{metric(summary.metric)}: training {score(summary.train_metric)}"),
        _(f"validation {score(summary.val_metric)}"),
        sparkline(summary.sparkline),
        left if state == "running" and summary.seconds_left is not None else state_word(state),
    ]
    return "  ".join(part for part in parts if part)
