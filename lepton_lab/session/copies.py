"""Runs as files elsewhere: moved out whole, exported for other programs."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, SpecError, StoreError

if TYPE_CHECKING:
    from lepton_lab.runs import Store

FORMATS = ("csv", "curves", "tensorboard", "mlflow")
_LEFT_OUT = shutil.ignore_patterns("*.lock", "worker.json", "control")


def move_out(store: Store, run_id: str, folder: Path, *, by: str) -> Path:
    """Moves a run that has ended below a folder outside the store; the run is deleted here only once the copy is whole.

    Raises:
        RunError: If the run is at work, something stands at the target, or it lies inside the store.
        StoreError: If the copy cannot be written.
    """
    from lepton_lab.runs.lifecycle import delete_run
    from lepton_lab.runs.record import RunRecord
    from lepton_lab.runs.states import RunState, require

    record = RunRecord.find(store, run_id)
    require("delete", run_id, RunState(record.summary().state))
    target = folder.resolve() / run_id
    if target.is_relative_to(store.root.resolve()):
        raise RunError(f"{folder} lies inside the run store; name a folder elsewhere.")
    if target.exists():
        raise RunError(f"{target} is there already; name another folder.")
    half = target.with_name(f".{run_id}-{secrets.token_hex(4)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(record.dir, half, ignore=_LEFT_OUT)
        half.rename(target)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise StoreError(f"The run cannot be written to {folder}: {error.strerror or error}.", "unwritable") from error
    delete_run(store, run_id, by=by, force=True)
    return target


def export_runs(store: Store, run_ids: Sequence[str], kind: str, to: str | None) -> dict[str, Any]:
    """Writes runs in another program's format.

    Args:
        store: The store.
        run_ids: Which runs.
        kind: One of `FORMATS`.
        to: A file (csv, curves), a folder (tensorboard) or MLflow's address; None prints CSV.

    Returns:
        `{"text"}` where nothing was written to a file, else `{"path"}`.

    Raises:
        SpecError: If the format needs a place and none was given.
        MissingExtra: If the other program is not installed.
    """
    from lepton_lab.runs import export

    if kind in ("csv", "curves"):
        text = export.to_csv(store, run_ids) if kind == "csv" else export.curves_csv(store, run_ids)
        if to is None:
            return {"text": text}
        try:
            Path(to).expanduser().write_text(text)
        except OSError as error:
            raise RunError(f"{to} cannot be written: {error.strerror}.") from error
        return {"path": to}
    if to is None:
        raise SpecError(f"runs export: --format {kind} needs a place; add --to FOLDER.")
    if kind == "tensorboard":
        export.to_tensorboard(store, run_ids, Path(to).expanduser())
    else:
        export.to_mlflow(store, run_ids, to)
    return {"path": to}
