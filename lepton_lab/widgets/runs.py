"""The display of a run: the live widget where one can live, and the still picture with the run's id everywhere."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from typing import Any

from lepton_lab.session import Run
from lepton_lab.session.run import sentence
from lepton_lab.session.texts import metric, score, seconds
from lepton_lab.widgets.html import Markup, card, code, figures, note, state_chip
from lepton_lab.widgets.picture import curve_svg
from lepton_lab.widgets.static_files import NotBuilt
from lepton_lab.words import _, say

RUN_MIME = "application/vnd.lepton.run+json"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_numbers = itertools.count(1)


def run_bundle(run: Run, widget: Any = None) -> dict[str, Any]:
    """A run as MIME bundle: for the page's own renderer, as widget, as picture, as HTML, as text.

    Args:
        run: The run.
        widget: Its live widget; None where none is wanted.
    """
    summary, curve = run.summary, run.curve
    bundle: dict[str, Any] = {
        RUN_MIME: {"run_id": run.id, "store_id": run.record.store.id, "summary": summary.to_page()},
        "image/svg+xml": curve_svg(curve, summary),
        "text/html": run_html(run),
        "text/plain": sentence(summary),
    }
    if widget is not None:
        bundle[WIDGET_MIME] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return bundle


def run_html(run: Run) -> Markup:
    """The still form of a run, as a saved notebook shows it without a kernel."""
    summary, curve = run.summary, run.curve
    tops = [
        (_(f"validation {metric(summary.metric)}"), score(summary.val_metric)),
        (_(f"training {metric(summary.metric)}"), score(summary.train_metric)),
        (_("epoch"), f"{summary.epoch or 0:.0f} / {summary.epochs or 0}"),
        (_("trained"), seconds(summary.elapsed_seconds)),
    ]
    if summary.test_metric is not None:
        tops.insert(0, (_(f"test {metric(summary.metric)}"), score(summary.test_metric)))
    parts: list[Any] = [figures(tops), Markup(curve_svg(curve, summary, themed=True))]
    if str(summary.state) == "failed":
        parts.append(note(say(summary.message or summary.reason or ""), tone="bad"))
    parts.append(note("A still picture of the run. To see it live again, in any notebook of this store:"))
    parts.append(code(f"%lepton run {run.id}"))
    return card(
        run.id,
        *parts,
        chip=state_chip(summary.state),
        aside=_(f"{summary.model} on {summary.dataset}"),
        label=_(f"Run {run.id}"),
    )


def display_run(run: Run) -> None:
    """Shows a run live in the cell, and replaces its still picture when the run ends.

    Where the widget was not built, the still picture is all there is: a run that has started is never an error here.
    """
    from IPython.display import display

    widget = _live(run)
    mark = f"lepton-{run.id}-{os.getpid()}-{next(_numbers)}"
    display(run_bundle(run, widget), raw=True, display_id=mark)
    if not run.ended:
        _STILLS.await_end(mark, run, widget)


def _live(run: Run) -> Any:
    from lepton_lab.widgets.curve import CurveWidget

    try:
        return CurveWidget(run)
    except NotBuilt as error:
        print(say(f"{error} Until then there is a still picture."), file=sys.stderr)
        return None


def settle() -> None:
    """Replaces now, from the cell that runs, the pictures of the runs that have ended.

    Each picture's own thread does this too. But what executes notebooks without a page (nbclient) takes an update in
    only while a cell runs, so a cell that waited for a run must not end before the run's picture is in place.
    """
    _STILLS.settle()


class _Stills:
    """The pictures in this kernel's outputs whose runs have not ended yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Run, Any]] = {}

    def await_end(self, mark: str, run: Run, widget: Any) -> None:
        with self._lock:
            self._open[mark] = (run, widget)
        threading.Thread(target=self._follow, args=(run,), name=f"lepton-picture-{run.id}", daemon=True).start()

    def settle(self) -> None:
        with self._lock:
            for mark in [mark for mark, (run, _) in self._open.items() if run.ended]:
                self._replace(mark, *self._open.pop(mark))

    def _follow(self, run: Run) -> None:
        run.until_over()
        self.settle()

    @staticmethod
    def _replace(mark: str, run: Run, widget: Any) -> None:
        """The live view stays; what a saved notebook shows becomes the whole curve."""
        from IPython.display import update_display

        update_display(run_bundle(run, widget), raw=True, display_id=mark)


_STILLS = _Stills()
