"""The facade that every face calls, and the objects it hands out.

| module | owns |
|---|---|
| `facade` | `Session`: what is loaded and selected, and every call of a face |
| `dataset`, `model`, `run`, `report`, `endpoint`, `lists` | the objects that a person holds |
| `answers`, `keeping`, `copies`, `store_calls` | runs that are kept: labels, branches, comparison, queue, disk space |
| `study`, `tuning` | search for options: studies and their trials |
| `source` | the source of a network of one's own, with what it needs |
| `sketch` | a network on paper, from a process that may import torch |
| `host` | where the session lives (notebook, terminal); the seam of the tests |
| `shown` | how objects show themselves; filled by the widgets |
| `texts`, `waiting` | figures as text, the progress line of a terminal |

Nothing here imports torch: training, evaluation and export happen in worker processes.
"""

from __future__ import annotations

from lepton_lab.session.answers import ComparisonView, GcView, QueueView, RunDetails, Said
from lepton_lab.session.compression import Compression
from lepton_lab.session.dataset import Dataset
from lepton_lab.session.endpoint import Endpoint
from lepton_lab.session.facade import Session
from lepton_lab.session.host import Host, NotebookHost
from lepton_lab.session.lists import Asked, EndpointList, RunList, Status, StudioView
from lepton_lab.session.model import Model
from lepton_lab.session.prediction import Prediction, Predictions
from lepton_lab.session.report import Report
from lepton_lab.session.run import Run
from lepton_lab.session.sketch import Sketch
from lepton_lab.session.study import Study, StudyList

__all__ = [
    "Asked",
    "ComparisonView",
    "Compression",
    "Dataset",
    "Endpoint",
    "EndpointList",
    "GcView",
    "Host",
    "Model",
    "NotebookHost",
    "Prediction",
    "Predictions",
    "QueueView",
    "Report",
    "Run",
    "RunDetails",
    "RunList",
    "Said",
    "Session",
    "Sketch",
    "Status",
    "StudioView",
    "Study",
    "StudyList",
    "current",
    "use",
]

_current: Session | None = None


def current() -> Session:
    """The session of this process, made when it is first asked for."""
    global _current
    if _current is None:
        _current = Session()
    return _current


def use(session: Session | None) -> None:
    """Makes this the session of the process; None: a new one is made when it is next asked for."""
    global _current
    _current = session
