"""The board: all runs, endpoints and devices of a store at a glance, read anew only where a file has changed."""

from __future__ import annotations

import functools
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lepton_lab.errors import LeptonError, SpecError, StoreError
from lepton_lab.runs.bulk import undisturbed
from lepton_lab.runs.devices import device_slots, each_slot
from lepton_lab.runs.endpoints import list_endpoints
from lepton_lab.runs.launch import poke
from lepton_lab.runs.listing import Listing, slim
from lepton_lab.runs.paths import Store, check_name
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import ACTIVE, RunState
from lepton_lab.runs.summary import RunSummary

LIVE = frozenset({RunState.queued, *ACTIVE})
"""States of a run that needs a supervisor."""
EXACT_PLACES, PLACES_SECONDS = 1_000, 10.0
"""So many places in the queue are right at every look; those behind them are made anew this often."""


def status(store: Store) -> dict[str, Any]:
    """The store in a few numbers: `{"version", "store", "store_id", "supervisor", "runs": {state: count}}`."""
    counts: dict[str, int] = {}
    for run in Listing.of(store).look().values():
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
    return {"summary": run.summary().to_page(), "spec": spec, "has_report": has_report}


class BoardScan:
    """Reads the board, again and again; from any thread.

    A run on the board is the fields of its summary that are not at their default (`DEFAULTS`); one that has not
    changed is the same object as before.

    Args:
        store: The run store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._listing = Listing.of(store)
        self._seen: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._board: list[dict[str, Any]] = []
        self._places: dict[str, int] = {}
        self._all_places_at = 0.0
        self.needs_supervisor = False
        """Whether something is alive that a supervisor must care for, as of the last look."""

    def look(self, *, roughly: bool = False) -> dict[str, Any]:
        """The board now, ready for JSON: `{"runs": [newest first], "endpoints": [...], "devices": {slot: run}}`.

        Args:
            roughly: Whether, of very many runs, most may be as they were some seconds ago; see `Listing.look`.
        """
        with self._lock, undisturbed():
            return self._look(roughly)

    def _look(self, roughly: bool) -> dict[str, Any]:
        known = self._listing.look(roughly=roughly)
        is_live = any(each.state in LIVE for each in known.values())
        leases, waiting = self._queue() if is_live else ({}, [])
        places = self._renewed(waiting, roughly)
        seen: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        is_other = False
        for name, each in known.items():
            place = places.get(name) if each.state == RunState.queued else None
            before = self._seen.get(name)
            if before is None or before[0] is not each.values or before[1].get("queue_position") != place:
                before, is_other = (each.values, _shown(name, each.values, place)), True
            seen[name] = before
        if is_other or seen.keys() != self._seen.keys():
            runs = [shown for _, shown in seen.values()]
            self._board = sorted(runs, key=lambda run: (run.get("created") or 0.0, run["run_id"]), reverse=True)
        self._seen = seen
        endpoints = [endpoint.to_page() for endpoint in list_endpoints(self._store)]
        self.needs_supervisor = is_live or any(endpoint["state"] != "stopped" for endpoint in endpoints)
        return {"runs": self._board, "endpoints": endpoints, "devices": {**dict.fromkeys(self._slots), **leases}}

    def _renewed(self, waiting: list[str], roughly: bool) -> dict[str, int]:
        """The place of each waiting run; of those far behind it may be some seconds old.

        When the first of 50,000 starts, all others move up: nobody reads that many numbers twice a second.
        """
        now = time.monotonic()
        if not roughly or now >= self._all_places_at or len(waiting) <= EXACT_PLACES:
            self._all_places_at = now + PLACES_SECONDS
            self._places = {run_id: place for place, run_id in enumerate(waiting, 1)}
        else:
            self._places = {run_id: self._places.get(run_id, place) for place, run_id in enumerate(waiting, 1)}
            self._places |= {run_id: place for place, run_id in enumerate(waiting[:EXACT_PLACES], 1)}
        return self._places

    @functools.cached_property
    def _slots(self) -> list[str]:
        return device_slots()

    def _queue(self) -> tuple[dict[str, str], list[str]]:
        """Which slot is leased to which run, and the runs that wait, in order."""
        try:
            queue = Queue(self._store, timeout_seconds=0.2)
            entries, waiting = queue.entries(), queue.waiting()
        except StoreError:  # a board without places in the queue is better than none
            return {}, []
        leases: dict[str, str] = {}
        for entry in entries:
            if entry.slot is not None:  # a GPU may be shared
                for slot in each_slot(entry.slot):
                    leases[slot] = ", ".join(filter(None, [leases.get(slot), entry.run_id]))
        return leases, [entry.run_id for entry in waiting]


def _shown(name: str, values: dict[str, Any], place: int | None) -> dict[str, Any]:
    """A run of the board."""
    try:
        check_name("run", name)
    except SpecError as error:  # a folder with a name that no run can have
        return slim(RunSummary(name, name, "failed", "unreadable", str(error)))
    return values if place is None else {**values, "queue_position": place}
