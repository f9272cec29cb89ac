"""Proof of a finished run: train again from one of its checkpoints, in a process of its own, and compare every bit.

`verify_run` waits for the result. `start_verification` does not: a detached process, `python -m
lepton_lab.runs.verification --store PATH --run ID`, writes how it stands into the run's `verification.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import LeptonError, RunError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.devices import slot_environment
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command, spawn_detached, with_package
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.record import RunRecord, require_trust
from lepton_lab.runs.states import RunState, require

VERIFICATION_FILE, VERIFICATION_LOCK, VERIFICATION_LOG = "verification.json", "verification.lock", "verification.log"
_START_SECONDS = 30.0
"""So long a process that was started may take until it holds the lock."""


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


def start_verification(store: Store, run_id: str, *, by: str) -> None:
    """Starts the proof of a finished run and returns at once; while one is under way, there is no second one.

    Raises:
        UnknownName: If there is no such run.
        RunError: If it has not finished, or its code is not trusted.
        StoreError: If the run's folder cannot be written.
    """
    record = RunRecord.find(store, run_id)
    require("verify", run_id, RunState(record.summary().state))
    require_trust(record, record.spec())
    if (read_verification(record.dir) or {}).get("state") == "running":
        return
    write_json(record.dir / VERIFICATION_FILE, {"state": "running", "by": by, "time": round(time.time(), 3)})
    argv = python_command("lepton_lab.runs.verification", "--store", str(store.root), "--run", run_id, "--by", by)
    spawn_detached(argv, record.dir / VERIFICATION_LOG)


def read_verification(run_dir: Path) -> dict[str, Any] | None:
    """How the proof that was started last stands, or None if none was.

    Returns:
        `{"state": "running" | "done" | "failed", "by", "time"}`, with the fields of `Verification` when it is done
        and with `message` when it failed.
    """
    path = run_dir / VERIFICATION_FILE
    if not path.exists():
        return None
    try:
        found = dict(read_json(path))
    except (LeptonError, TypeError, ValueError):
        return None
    is_young = time.time() - found.get("time", 0.0) < _START_SECONDS
    if found.get("state") == "running" and not is_young and _is_free(run_dir / VERIFICATION_LOCK):
        return {**found, "state": "failed", "message": "The replay ended without a result; start it again."}
    return found


def _is_free(path: Path) -> bool:
    with FileLock(path) as lock:
        return lock.acquire()


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="lepton_lab.runs.verification", description="Proves a finished run.")
    parser.add_argument("--store", required=True, help="the run store's folder")
    parser.add_argument("--run", required=True, help="the run")
    parser.add_argument("--by", required=True, help="who asks")
    options = parser.parse_args(arguments)
    store = Store(options.store)
    run_dir = store.run_dir(options.run)
    with FileLock(run_dir / VERIFICATION_LOCK) as lock:
        if not lock.acquire():
            return 0
        told = {"by": options.by, "time": round(time.time(), 3)}
        write_json(run_dir / VERIFICATION_FILE, {"state": "running", **told})
        try:
            found = verify_run(store, options.run, by=options.by)
        except LeptonError as error:
            write_json(run_dir / VERIFICATION_FILE, {"state": "failed", "message": str(error), **told})
            return 1
        write_json(run_dir / VERIFICATION_FILE, {"state": "done", **found.to_dict(), **told})
    return 0


if __name__ == "__main__":
    sys.exit(main())
