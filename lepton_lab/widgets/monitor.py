"""A run to look at and nothing more: for many viewers at once, each with a small kernel of its own."""

from __future__ import annotations

import threading
from typing import Any

import anywidget
import traitlets

from lepton_lab.errors import LeptonError
from lepton_lab.runs import Store, list_runs
from lepton_lab.session import Run, Session
from lepton_lab.widgets.frames import FramePusher
from lepton_lab.widgets.static_files import module_source, style_source
from lepton_lab.words import told

LOOK_SECONDS = 2.0
MOST_RUNS = 50


class RunMonitor(anywidget.AnyWidget):
    """The runs of a store, and one of them live. It takes no command: whoever looks can change nothing.

    The page's messages: `{"type": "hello"}` and `{"type": "choose", "run_id"}`; every other one is refused.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    run_id = traitlets.Unicode("").tag(sync=True)
    """The run in sight (str); empty while there is none."""
    summary = traitlets.Dict().tag(sync=True)
    """Its summary (dict) when it came into sight."""
    locale = traitlets.Unicode("").tag(sync=True)
    """Language of the view (str): "en", "zh_CN"; empty: the page's."""
    read_only = traitlets.Bool(True, read_only=True).tag(sync=True)
    """The page draws no buttons that change the run (bool)."""
    runs = traitlets.List().tag(sync=True)
    """What may be looked at (list of dict): run_id, title, state; the newest first."""

    def __init__(self, store: Store | None = None, run_id: str = "", *, module: str | None = None) -> None:
        """Opens on a run, by default the newest one that is at work, else the newest."""
        self._session = Session(store, who="monitor")
        self._pusher: FramePusher | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        super().__init__(
            _esm=module_source("curve") if module is None else module,
            _css=style_source("curve"),
        )
        self.on_msg(self._on_message)
        self._look()
        self._choose(run_id or self._newest())
        threading.Thread(target=self._follow, name="lepton-monitor", daemon=True).start()

    def close(self) -> None:
        """Ends the widget's threads."""
        self._closed.set()
        if self._pusher:
            self._pusher.close()
        super().close()

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "hello" and self._pusher:
            self._pusher.hello()
        elif kind == "choose":
            self._choose(str(content.get("run_id")))
        elif kind == "command":
            self._refuse("This page only shows runs; they are steered from a notebook.")

    def _refuse(self, sentence: str) -> None:
        self.send(told({"type": "error", "message": sentence}))

    def _choose(self, run_id: str) -> None:
        with self._lock:
            if run_id == self.run_id or run_id not in [run["run_id"] for run in self.runs]:
                return
            try:
                run: Run = self._session.run(run_id)
            except LeptonError as error:
                self._refuse(str(error))
                return
            if self._pusher:
                self._pusher.close()
            # Pictures of watched rows stay away: they would bring the dataset into every viewer's kernel.
            self._pusher = FramePusher(run, self.send)
            self.summary = run.summary.to_page()
            self.run_id = run_id
            self._pusher.hello()

    def _newest(self) -> str:
        at_work = [run["run_id"] for run in self.runs if run["state"] in ("running", "paused", "starting")]
        return next(iter([*at_work, *(run["run_id"] for run in self.runs)]), "")

    def _look(self) -> None:
        found = list_runs(self._session.store)[:MOST_RUNS]
        self.runs = [{"run_id": run.run_id, "title": run.title or run.run_id, "state": str(run.state)} for run in found]

    def _follow(self) -> None:
        """Runs come and go while people look."""
        while not self._closed.wait(LOOK_SECONDS):
            self._look()
            if not self.run_id:
                self._choose(self._newest())
