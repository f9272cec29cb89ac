"""Waits for what a run leaves behind for deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lepton_lab.errors import RunError, RunFailed

if TYPE_CHECKING:
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run

PATIENCE_SECONDS = 120.0
"""How long the worker may take to write the bundle after the run has ended."""


def wait_for_bundle(run: Run, session: Session) -> None:
    """Waits until a run has written its bundle.

    Raises:
        RunFailed: If the run failed.
        RunError: If it has no bundle and will not get one.
    """
    if _has_bundle(run):
        return
    with session.waiting(run) as watch:
        summary = run._until(run._is_over, None, watch)
    if str(summary.state) == "failed":
        raise RunFailed(f"{run.id} failed: {summary.message or summary.reason}", summary.reason or "error")
    run._until(lambda _: _has_bundle(run) or bool(_failure(run)), PATIENCE_SECONDS)
    failure = _failure(run)
    if failure and not _has_bundle(run):
        raise RunError(f"{run.id} cannot be deployed: {failure}")


def _has_bundle(run: Run) -> bool:
    return (run.record.dir / "bundle" / "bundle.json").is_file()


def _failure(run: Run) -> str | None:
    events = [event for event in run.record.events(0) if event["type"] in ("BundleFailed", "BundleWritten")]
    return str(events[-1]["message"]) if events and events[-1]["type"] == "BundleFailed" else None
