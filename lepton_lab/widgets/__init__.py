"""How things look in a notebook: cards, the report, the live curve, the studio.

| module | owns |
|---|---|
| `html`, `display.css` | escaping, the shared style, small parts |
| `cards`, `data_card`, `lists`, `reports`, `runs` | the still displays of a session's objects |
| `picture` | a curve as SVG |
| `curve`, `frames` | the live curve: its widget, and the thread that feeds it |
| `studio`, `studio_values`, `studio_steps` | the form for all five steps |
| `studio_search`, `studio_words` | its search for options; the kernel's sentences in the page's language |
| `compression`, `studies` | the tables of variants and of trials, with their charts |
| `following` | a display that follows a record on disk |
| `monitor`, `model_card` | what the dashboards show |
| `steps` | each step as a widget of its own |
| `explain`, `uploads` | what an answer rests on; files that a page sends |
| `display` | which object has which display |

Importing this package loads neither ipywidgets nor anywidget nor plotly; the displays do, when they are needed.
"""

from __future__ import annotations

import sys
from typing import Any

from lepton_lab.errors import LeptonError
from lepton_lab.session import shown
from lepton_lab.words import language, say

STEPS = ("DataPicker", "NetworkPicker", "Trainer", "Evaluation", "Deployment")
"""The studio's steps as widgets of their own; loaded when they are asked for."""


def __getattr__(name: str) -> Any:
    if name in STEPS:
        from lepton_lab.widgets import steps

        return getattr(steps, name)
    if name == "RunMonitor":
        from lepton_lab.widgets.monitor import RunMonitor

        return RunMonitor
    if name == "ModelCard":
        from lepton_lab.widgets.model_card import ModelCard

        return ModelCard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def install() -> None:
    """Gives the objects of a session their displays, and its errors a line in the reader's language."""
    shown.use(_show, _bundle)
    if language() != "en":
        _say_errors()


def _say_errors() -> None:
    """Has a traceback of ours end with the error's sentence in the reader's language; the exception stays English."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((LeptonError,), _show_said)


def _show_said(shell: Any, kind: type, error: LeptonError, trace: Any, tb_offset: int | None = None) -> None:
    said = say(str(error))
    if said != str(error) and said not in getattr(error, "__notes__", ()):
        error.add_note(said)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _show(thing: Any) -> None:
    from lepton_lab.widgets.display import show

    show(thing)


def _bundle(thing: Any) -> dict[str, Any]:
    from lepton_lab.widgets.display import bundle

    return bundle(thing)
