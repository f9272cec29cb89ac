"""The board: all runs, endpoints and devices of a store at a glance, read anew only where a file has changed."""

from __future__ import annotations

import functools
import os
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lepton_lab.errors import LeptonError, SpecError, StoreError
from lepton_lab.runs.devices import device_slots, each_slot
from lepton_lab.runs.endpoints import list_endpoints
from lepton_lab.runs.launch import poke
from lepton_lab.runs.ordering import waiting_order
from lepton_lab.runs.paths import Store
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import RunRecord, list_runs, stamp
from lepton_lab.runs.states import ACTIVE, RunState
from lepton_lab.runs.summary import RunSummary

LIVE = frozenset({RunState.queued, *ACTIVE})
"""States of a run that needs a supervisor."""


def status(store: Store) -> dict[str, Any]:
    """The store in a few numbers: `{"version", "store", "store_id", "supervisor", "runs": {state: count}}`."""
    counts: dict[str, int] = {}
    for run in list_runs(store):
        counts[run.state] = counts.get(run.state, 0) + 1
    return {
        "version": _version(),
        "store": str(store.root),
        "store_id": store.id,
        "supervisor": poke(store),
        "runs": counts,
    }


def _version() -> str | None:
    try:
        return version("lepton-lab")
    except PackageNotFoundError:
        return None


def run_details(store: Store, run_id: str) -> dict[str, Any]:
    """One run: `{"summary", "spec", "has_report"}`; the spec is null where it cannot be read.

    Raises:
        UnknownName: If there is no such run.
    """
    run = RunRecord.find(store, run_id)
    try:
        spec = run.spec().model_dump(mode="json")
    except LeptonError:  # a folder that was copied in half is still shown
        spec = None
    has_report = (run.dir / "report.json").exists()
    return {"summary": run.summary().to_dict(), "spec": spec, "has_report": has_report}


class BoardScan:
    """Reads the board, again and again; from any thread.

    Args:
        store: The run store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[tuple[tuple[int, int], ...], dict[str, Any]]] = {}
        self.needs_supervisor = False
        """Whether something is alive that a supervisor must care for, as of the last look."""

    def look(self) -> dict[str, Any]:
        """The board now, ready for JSON: `{"runs": [newest first], "endpoints": [...], "devices": {slot: run}}`."""
        with self._lock:
            return self._look()

    def _look(self) -> dict[str, Any]:
        runs = [self._summary(name) for name in self._names()]
        leases, places = self._queue() if any(run["state"] in LIVE for run in runs) else ({}, {})
        for run in runs:
            run["queue_position"] = places.get(run["run_id"]) if run["state"] == RunState.queued else None
        runs.sort(key=lambda run: (run["created"] or 0.0, run["run_id"]), reverse=True)
        endpoints = [endpoint.to_dict() for endpoint in list_endpoints(self._store)]
        self.needs_supervisor = any(run["state"] in LIVE for run in runs) or any(
            endpoint["state"] != "stopped" for endpoint in endpoints
        )
        return {"runs": runs, "endpoints": endpoints, "devices": {**dict.fromkeys(self._slots), **leases}}

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._store.runs_dir) as entries:
                names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except FileNotFoundError:
            names = []
        for gone in self._seen.keys() - set(names):
            del self._seen[gone]
        return names

    def _summary(self, run_id: str) -> dict[str, Any]:
        """The summary as last read, or read anew where the run's events have changed since."""
        signature = stamp(self._store.runs_dir / run_id)
        seen = self._seen.get(run_id)
        if seen is None or seen[0] != signature:
            seen = (signature, self._read(run_id))
            self._seen[run_id] = seen
        return dict(seen[1])

    def _read(self, run_id: str) -> dict[str, Any]:
        try:
            return RunRecord(self._store, run_id).summary(with_place=False).to_dict()
        except SpecError as error:  # a folder with a name that no run can have
            return RunSummary(run_id, run_id, "failed", "unreadable", str(error)).to_dict()

    @functools.cached_property
    def _slots(self) -> list[str]:
        return device_slots()

    def _queue(self) -> tuple[dict[str, str], dict[str, int]]:
        """Which slot is leased to which run, and the place of each run that waits."""
        try:
            entries = Queue(self._store, timeout_seconds=0.2).entries()
        except StoreError:  # a board without places in the queue is better than none
            return {}, {}
        waiting = [entry.run_id for entry in waiting_order(entries)]
        leases: dict[str, str] = {}
        for entry in entries:
            if entry.slot is not None:  # a GPU may be shared
                for slot in each_slot(entry.slot):
                    leases[slot] = ", ".join(filter(None, [leases.get(slot), entry.run_id]))
        return leases, {run_id: place for place, run_id in enumerate(waiting, 1)}
