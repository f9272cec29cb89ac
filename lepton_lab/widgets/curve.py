"""The live curve of one run as an anywidget: traits for what is small, binary frames for the points."""

from __future__ import annotations

import base64
from typing import Any

import anywidget
import traitlets

from lepton_lab.errors import DataError, LeptonError
from lepton_lab.session import Run
from lepton_lab.widgets.frames import FramePusher
from lepton_lab.widgets.static_files import module_source, style_source
from lepton_lab.words import told

COMMANDS = ("pause", "resume", "stop", "set_learning_rate", "checkpoint")


class CurveWidget(anywidget.AnyWidget):
    """Draws a run while it trains, and its buttons.

    The page's messages: `{"type": "hello"}` and `{"type": "command", "command", "value"}`. The kernel's: curve
    frames (see `runs/curve.py`) and `{"type": "error", "message"}`.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    run_id = traitlets.Unicode("").tag(sync=True)
    """The run's id (str); the page may follow it without this kernel."""

    summary = traitlets.Dict().tag(sync=True)
    """The run's summary (dict) when the view was made; frames carry the later ones."""

    locale = traitlets.Unicode("").tag(sync=True)
    """Language of the view (str): "en", "zh_CN"; empty: the page's."""

    def __init__(self, run: Run, *, module: str | None = None, **traits: Any) -> None:
        """Makes the view of a run; `module` is the page's ES module, by default the one that was built."""
        self._run = run
        super().__init__(
            _esm=module_source("curve") if module is None else module,
            _css=style_source("curve"),
            run_id=run.id,
            summary=run.summary.to_page(),
            **traits,
        )
        self._pusher = FramePusher(run, self.send, picture=lambda row: sample_picture(run, row))
        self.on_msg(self._on_message)

    def close(self) -> None:
        """Ends the pushing with the widget."""
        self._pusher.close()
        super().close()

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("type") == "hello":
            self._pusher.hello()
        elif content.get("type") == "command":
            self._pusher.heard()
            try:
                perform(self._run, content.get("command"), content.get("value"))
            except LeptonError as error:
                self.send(told({"type": "error", "message": str(error)}))


def perform(run: Run, command: Any, value: Any) -> None:
    """Does what a page asked for; a page is not trusted to ask for what exists.

    Raises:
        LeptonError: If there is no such command, or the run cannot do it.
    """
    if command not in COMMANDS:
        raise LeptonError(f"There is no command {command!r}; known are {', '.join(COMMANDS)}.")
    if command == "set_learning_rate":
        run.set_learning_rate(value)
    elif command == "stop":
        run.stop(hard=isinstance(value, dict) and value.get("hard") is True)
    else:
        getattr(run, command)()


def sample_picture(run: Run, row: int) -> str | None:
    """A row of the validation part as a data: address; None where rows are no pictures or the data is gone."""
    try:
        prepared = run.dataset.prepared
        if prepared.modality != "image":
            return None
        png = prepared.sample_png("validation", row)
    except DataError:
        return None
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
