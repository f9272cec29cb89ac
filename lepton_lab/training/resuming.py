"""What an earlier start of a run has left: its plan and its last checkpoint."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.training.checkpoints import Saved, read
from lepton_lab.training.plan import Plan
from lepton_lab.training.progress import Events

PLAN_FILE = "plan.json"


def last_saved(run_dir: Path, events: Events) -> Saved | None:
    """The last checkpoint that is whole; `CheckpointBroken` tells of those that are not."""

    def tell(step: int, problem: str) -> None:
        events.append("CheckpointBroken", step=step, message=problem)

    found = latest_checkpoint(run_dir, tell)
    return read(found[1]) if found else None


def known_plan(run_dir: Path) -> Plan | None:
    """The choices that were made when the run first started."""
    path = run_dir / PLAN_FILE
    return Plan(**read_json(path)) if path.exists() else None


def keep_plan(run_dir: Path, plan: Plan) -> None:
    """Writes the choices down, the first time."""
    if not (run_dir / PLAN_FILE).exists():
        write_json(run_dir / PLAN_FILE, plan.to_dict())
