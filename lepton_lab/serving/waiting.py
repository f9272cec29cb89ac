"""From a run to its bundle: there, on its way, or never to come, each said plainly."""

from __future__ import annotations

import time

from lepton_lab.errors import EndpointError, UnknownName
from lepton_lab.runs.events import EventTail
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import spawn_detached
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.seat import WORKER_LOG, has_no_worker
from lepton_lab.serving.bundle import Bundle, load
from lepton_lab.serving.manifest import MANIFEST_FILE

BUNDLE_SECONDS = 120.0
"""Longest time that writing a bundle may take once training is over."""
_ALMOST_DONE = ("ReportWritten", "RunFinished")
_OVER = {
    "RunFailed": "failed: {message}",
    "RunStopped": "was stopped before its end; resume it and let it finish, then deploy",
}


def bundle_of_run(store: Store, run_id: str, *, timeout_seconds: float = BUNDLE_SECONDS) -> Bundle:
    """The verified bundle of a run; waits for it if the run is writing it, and has it written if its worker died.

    Raises:
        UnknownName: If there is no such run.
        EndpointError: If the run is still training, ended without a bundle, or could not be exported.
        ServingError: If the bundle is broken.
    """
    folder = store.run_dir(run_id)
    if not folder.is_dir():
        raise UnknownName("run", run_id, _run_names(store))
    tail, progress = EventTail(folder), _Progress(run_id)
    deadline = time.monotonic() + timeout_seconds
    asked_again = False
    while not (folder / "bundle" / MANIFEST_FILE).exists():
        progress.follow(tail.read())
        progress.raise_if_hopeless()
        if not asked_again and progress.is_finished and has_no_worker(folder):
            asked_again = True  # the worker died between the run's end and its bundle
            spawn_detached(Programs.from_environment().export(store, run_id), folder / WORKER_LOG, cwd=folder)
        if time.monotonic() > deadline:
            raise EndpointError(
                f"The bundle of {run_id} was not written within {timeout_seconds:g} s; see its worker.log."
            )
        time.sleep(0.02)
    return load(folder / "bundle")


class _Progress:
    """How far a run is on its way to a bundle."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._last = "RunQueued"
        self._message = ""
        self._epoch = ""

    def follow(self, events: list[dict[str, object]]) -> None:
        """Takes note of new events."""
        for event in events:
            kind = str(event.get("type"))
            if kind == "EpochEnded":
                self._epoch = f" (epoch {event.get('epoch')} has ended)"
            if kind in (*_ALMOST_DONE, *_OVER, "RunQueued", "RunStarting", "RunStarted", "RunResumed", "BundleFailed"):
                self._last, self._message = kind, str(event.get("message", ""))

    @property
    def is_finished(self) -> bool:
        """Whether training and its report are done."""
        return self._last == "RunFinished"

    def raise_if_hopeless(self) -> None:
        """Ends the wait where no bundle is on its way."""
        if self._last == "BundleFailed":
            raise EndpointError(f"The run {self._run_id} could not be exported: {self._message}")
        if self._last in _OVER:
            raise EndpointError(f"The run {self._run_id} {_OVER[self._last].format(message=self._message)}.")
        if self._last not in _ALMOST_DONE:
            raise EndpointError(
                f"The run {self._run_id} has not finished training{self._epoch}; wait for it, then deploy again."
            )


def _run_names(store: Store) -> list[str]:
    """Names of the runs that there are."""
    return [path.name for path in store.runs_dir.iterdir() if path.is_dir()] if store.runs_dir.is_dir() else []
