"""The durable record of a run, and everything that keeps it alive. Never imports torch or numpy."""

from lepton_lab.runs.control import send_command
from lepton_lab.runs.curve import Curve, FrameSender
from lepton_lab.runs.events import EventLog, EventTail, EventWriter, read_events
from lepton_lab.runs.frames import pack_frame
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run, list_runs, resume_run, submit
from lepton_lab.runs.states import RunState
from lepton_lab.runs.summary import RunSummary

__all__ = [
    "Curve",
    "EventLog",
    "EventTail",
    "EventWriter",
    "FrameSender",
    "RunRecord",
    "RunState",
    "RunSummary",
    "Store",
    "create_run",
    "ensure_supervisor",
    "list_runs",
    "pack_frame",
    "read_events",
    "resume_run",
    "send_command",
    "submit",
]
