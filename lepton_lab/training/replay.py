"""A finished run, trained again from one of its checkpoints in a scratch folder, and compared tensor by tensor."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from lepton_lab.data import load
from lepton_lab.errors import RunError
from lepton_lab.runs.checkpoints import all_steps, checkpoint_at, latest_checkpoint
from lepton_lab.runs.record import RunRecord
from lepton_lab.training.loop import train
from lepton_lab.training.resuming import PLAN_FILE
from lepton_lab.training.steering import Command

_NEVER_SECONDS = 86_400.0


class _Silence:
    """Takes events and forgets them."""

    def append(self, event_type: str, /, **fields: Any) -> int:
        return 0

    def flush(self) -> None:
        return


class _Nobody:
    """Gives no commands."""

    def pending(self) -> list[Command]:
        return []

    def done(self, command_id: str) -> None:
        return

    def wait(self, timeout_seconds: float) -> None:
        return


def replay(record: RunRecord) -> dict[str, Any]:
    """Trains from the last checkpoint but one (or the beginning) to the end and compares with the last one.

    Returns:
        `{"equal", "from_step", "to_step", "num_tensors", "differing", "largest_difference", "seconds"}`.

    Raises:
        RunError: If there is no checkpoint to begin with, or none to compare with.
    """
    began = time.monotonic()
    last = latest_checkpoint(record.dir)
    if last is None:
        raise RunError(f"Run {record.run_id!r} has no intact checkpoint, so there is nothing to compare with.")
    to_step, expected = last
    start = _start(record, to_step)
    spec = record.spec()
    with tempfile.TemporaryDirectory(prefix="lepton-replay-") as scratch:
        folder = Path(scratch) / record.run_id
        _copy_start(record, start, folder)
        options = spec.train.changed(checkpoint_every_seconds=_NEVER_SECONDS)
        train(folder, load(spec.data, record.store), spec.model, options, events=_Silence(), control=_Nobody())
        found = latest_checkpoint(folder)
        if found is None or found[0] != to_step:
            reached = found[0] if found else 0
            raise RunError(f"The replay of run {record.run_id!r} ended at step {reached}, the run at step {to_step}.")
        compared = compare(expected, found[1])
    return {
        "from_step": int(start.name) if start is not None else 0,
        "to_step": to_step,
        **compared,
        "seconds": round(time.monotonic() - began, 3),
    }


def compare(expected: Path, found: Path) -> dict[str, Any]:
    """Two checkpoints, tensor by tensor and bit by bit, with their random states.

    Returns:
        `{"equal", "num_tensors", "differing": ["file: tensor"], "largest_difference"}`.
    """
    differing, num_tensors, largest = [], 0, 0.0
    names = sorted({file.name for folder in (expected, found) for file in folder.glob("*.safetensors")})
    for name in names:
        ours, theirs = _tensors(found / name), _tensors(expected / name)
        for key in sorted(ours.keys() | theirs.keys()):
            num_tensors += 1
            if not _are_bit_equal(ours.get(key), theirs.get(key)):
                differing.append(f"{name}: {key}")
                largest = max(largest, _difference(ours.get(key), theirs.get(key)))
    states = [json.loads((folder / "state.json").read_text()) for folder in (expected, found)]
    differing += [f"state.json: {key}" for key in ("random", "best") if states[0].get(key) != states[1].get(key)]
    return {
        "equal": not differing,
        "num_tensors": num_tensors,
        "differing": differing,
        "largest_difference": largest,
    }


def _start(record: RunRecord, to_step: int) -> Path | None:
    """The checkpoint to begin with: the newest intact one before the last; None for the very beginning.

    A learning rate that a person set, and whether the network is compiled, are part of the checkpoint that was saved
    with it, so the replay must not begin before the last change.
    """
    changes = [event["step"] for event in record.events() if _is_change(event)]
    earliest = max([step for step in changes if step <= to_step], default=0)
    for step in reversed(all_steps(record.dir)):
        if earliest <= step < to_step:
            try:
                return checkpoint_at(record.dir, step)
            except RunError:
                continue  # damaged; an older one tells as much
    if changes or record.summary().parent is not None:
        raise RunError(
            f"Run {record.run_id!r} has no intact checkpoint before its last one, at step {to_step}, to begin with."
        )
    return None


def _is_change(event: dict[str, Any]) -> bool:
    """Whether a run computed otherwise from here on, for a reason that a replay does not have."""
    if event["type"] == "StepCompiled":
        return "step_ms" in event  # a trial by the clock; one without figures was asked for, before the first step
    return event["type"] == "LearningRateChanged" and event.get("by") != "plateau"


def _copy_start(record: RunRecord, start: Path | None, folder: Path) -> None:
    folder.mkdir()
    if (record.dir / PLAN_FILE).exists():
        shutil.copy(record.dir / PLAN_FILE, folder / PLAN_FILE)
    if start is not None:
        shutil.copytree(start, folder / "checkpoints" / start.name)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path) if path.exists() else {}


def _are_bit_equal(ours: torch.Tensor | None, theirs: torch.Tensor | None) -> bool:
    if ours is None or theirs is None or ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return False
    # As bytes: nan equals itself, and 0.0 is not -0.0.
    return torch.equal(ours.reshape(-1).view(torch.uint8), theirs.reshape(-1).view(torch.uint8))


def _difference(ours: torch.Tensor | None, theirs: torch.Tensor | None) -> float:
    if ours is None or theirs is None or ours.shape != theirs.shape or not ours.numel():
        return 0.0
    difference = (ours.double() - theirs.double()).abs().max().item()
    return difference if difference == difference else 0.0
