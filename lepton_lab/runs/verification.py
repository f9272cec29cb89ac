"""Proof of a finished run: train again from one of its checkpoints, in a process of its own, and compare every bit."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import RunError
from lepton_lab.runs.devices import slot_environment
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import with_package
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.record import RunRecord, require_trust
from lepton_lab.runs.states import RunState, require


@dataclass(frozen=True)
class Verification:
    """What a replay has shown."""

    run_id: str
    equal: bool
    """Whether weights, optimizer, best weights and random states are the same, bit by bit."""
    from_step: int
    """The step of the checkpoint that the replay began with; 0 may be the very beginning."""
    to_step: int
    num_tensors: int
    """Tensors that were compared."""
    differing: list[str]
    """Those that differ, by file and name."""
    largest_difference: float
    """The largest difference of two numbers; 0 where all are equal."""
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The verification as plain values."""
        return asdict(self)

    def __str__(self) -> str:
        steps = f"from step {self.from_step} to step {self.to_step} in {self.seconds:.1f} s"
        if self.equal:
            return f"Run {self.run_id} is what it says: replayed {steps}, all {self.num_tensors} tensors are bit-equal."
        shown = ", ".join(self.differing[:3]) + (", ..." if len(self.differing) > 3 else "")
        return (
            f"Run {self.run_id} could not be reproduced: replayed {steps}, {len(self.differing)} of {self.num_tensors} "
            f"tensors differ by up to {self.largest_difference:.3g} ({shown}). On another processor, GPU or version of "
            "torch than the run's own this is to be expected."
        )


def verify_run(store: Store, run_id: str, *, by: str, timeout_seconds: float | None = None) -> Verification:
    """Replays a finished run from its last checkpoint but one, and compares the result with its last one.

    Takes about as long as the run took from there. The run itself is not touched, but for the event `RunVerified`.

    Args:
        store: The store.
        run_id: A finished run.
        by: Who asks.
        timeout_seconds: How long at most (default: as long as it takes).

    Raises:
        UnknownName: If there is no such run.
        RunError: If it has not finished, its code is not trusted, or the replay fails; says why.
    """
    record = RunRecord.find(store, run_id)
    require("verify", run_id, RunState(record.summary().state))
    require_trust(record, record.spec())
    found = Verification(run_id, **_replay(record, timeout_seconds))
    with EventLog.open_writer(record.dir) as writer:
        writer.append(
            "RunVerified", by=by, **{name: value for name, value in asdict(found).items() if name != "run_id"}
        )
    return found


def _replay(record: RunRecord, timeout_seconds: float | None) -> dict[str, Any]:
    device = record.summary().device or "cpu"
    with tempfile.TemporaryDirectory(prefix="lepton-verify-") as folder:
        answer = Path(folder) / "answer.json"
        argv = Programs.from_environment().replay(record.store, record.run_id, answer)
        env = with_package({**os.environ, **({} if device.startswith("cuda") else slot_environment("cpu:0"))})
        try:
            done = subprocess.run(
                argv, env=env, cwd=folder, timeout=timeout_seconds, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RunError(
                f"The replay of run {record.run_id!r} took longer than {timeout_seconds:g} s and was ended."
            ) from error
        if not answer.exists():
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
            raise RunError(f"The replay of run {record.run_id!r} failed: {said}")
        return dict(json.loads(answer.read_text()))
