"""Runs that ought to be in the queue and are not: their submitter died halfway, or the queue's file was lost."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.devices import asked_device
from lepton_lab.runs.paths import Store
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import run_names
from lepton_lab.runs.states import ENDED

_OLD_SECONDS = 3600.0
_LOOK_SECONDS = 5.0
_RESTS_PER_LOOK = 50
"""A look at very many runs is followed by a longer rest, so that looking never takes more than two percent."""


class Orphans:
    """Puts into the queue the runs that were submitted in this store, have not ended and are not in it.

    A folder that was copied in from elsewhere does not carry this store's seal and is left alone, so that nobody's
    code is run for having been copied.

    Args:
        store: The store.
        queue: Its queue.
        clock: Monotonic seconds.

    The methods raise StoreError if the queue cannot be read or written.
    """

    def __init__(self, store: Store, queue: Queue, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._queue, self._clock = store, queue, clock
        self._done: dict[str, int] = {}
        self._suspects: dict[str, int] = {}
        self._look_at = 0.0

    def enqueue_all(self) -> list[str]:
        """Queues them at once, and removes what is left of runs whose creation was cut off; returns their names."""
        for entry in os.scandir(self._store.runs_dir):
            if entry.name.startswith("."):
                _remove_if_old(entry)
        return [self._enqueue(name) for name, _ in self._due()]

    def tick(self) -> list[str]:
        """Looks from time to time for a run whose submitter died before it had queued it; returns whom it queued.

        A submitter at work is through in milliseconds: only what was due at two looks, unchanged, is an orphan.
        """
        began = self._clock()
        if began < self._look_at:
            return []
        before, self._suspects = self._suspects, dict(self._due())
        found = [self._enqueue(name) for name, stamp in self._suspects.items() if before.get(name) == stamp]
        took = self._clock() - began
        self._look_at = began + max(_LOOK_SECONDS, _RESTS_PER_LOOK * took)
        return found

    def _due(self) -> Iterator[tuple[str, int]]:
        """Each run that ought to be in the queue and is not, and when its record last changed."""
        queued = {entry.run_id for entry in self._queue.entries()}
        for name in sorted(run_names(self._store)):
            if name in queued:
                continue
            try:
                stamp = os.stat(self._store.run_dir(name) / "events.jsonl").st_mtime_ns
            except OSError:
                continue
            if self._done.get(name) == stamp:
                continue
            if _is_due(self._store, name):
                yield name, stamp
            else:
                self._done[name] = stamp

    def _enqueue(self, name: str) -> str:
        summary = snapshot.load(self._store.run_dir(name)).fold.summary()
        self._queue.enqueue(name, priority=summary.priority, user=summary.user, **_needs(self._store, name))
        return name


def _is_due(store: Store, run_id: str) -> bool:
    try:
        fold = snapshot.load(store.run_dir(run_id)).fold
    except (OSError, StoreError, ValueError):
        return False
    return fold.seq > 0 and fold.state not in ENDED and store.is_sealed(run_id, fold.seal)


def _needs(store: Store, run_id: str) -> dict[str, Any]:
    """The device that a run asks for, the share of a GPU, and how many slots."""
    try:
        train = read_json(store.run_dir(run_id) / "spec.json")["train"]
        return {
            "device": asked_device(str(train.get("device", "auto")), train.get("cluster")),
            "share": float(train.get("gpu_fraction", 1.0)),
            "devices": int(train.get("devices", 1)),
        }
    except (StoreError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _remove_if_old(entry: os.DirEntry[str]) -> None:
    """Removes what was left of a run's creation that was cut off."""
    if entry.name.startswith((".new-", ".trash-")) and time.time() - entry.stat().st_mtime > _OLD_SECONDS:
        shutil.rmtree(entry.path, ignore_errors=True)
