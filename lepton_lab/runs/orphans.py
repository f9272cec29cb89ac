"""Runs that ought to be in the queue and are not: their submitter died halfway, or the queue's file was lost."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from lepton_lab.errors import SpecError, StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.devices import asked_device
from lepton_lab.runs.index import Stamp
from lepton_lab.runs.listing import Known, Listing
from lepton_lab.runs.paths import Store, check_name
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.states import ENDED

_OLD_SECONDS = 3600.0
_LOOK_SECONDS = 5.0
_RESTS_PER_LOOK = 50
"""A look at very many runs is followed by a longer rest, so that looking never takes more than two percent."""
_SLICE_SECONDS = 0.05
"""How long one tick looks, at most."""


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
        self._listing = Listing.of(store)
        self._foreign: dict[str, Stamp] = {}
        self._suspects: dict[str, Stamp] = {}
        self._look_at = 0.0
        self._took = 0.0

    def enqueue_all(self) -> list[str]:
        """Queues them at once, and removes what is left of runs whose creation was cut off; returns their names."""
        for entry in os.scandir(self._store.runs_dir):
            if entry.name.startswith("."):
                _remove_if_old(entry)
        return [self._enqueue(name) for name, _ in sorted(self._due(self._listing.look()))]

    @property
    def is_due(self) -> bool:
        """Whether the next tick looks."""
        return self._clock() >= self._look_at

    def tick(self) -> list[str]:
        """Looks from time to time for a run whose submitter died before it had queued it; returns whom it queued.

        A submitter at work is through in milliseconds: only what was due at two looks, unchanged, is an orphan. A look
        at very many runs is spread over several ticks.
        """
        if not self.is_due:
            return []
        began = self._clock()
        known = self._listing.advance(_SLICE_SECONDS)
        self._took += self._clock() - began
        if known is None:
            return []
        before, self._suspects = self._suspects, dict(self._due(known))
        found = [self._enqueue(name) for name, stamp in self._suspects.items() if before.get(name) == stamp]
        self._look_at = self._clock() + max(_LOOK_SECONDS, _RESTS_PER_LOOK * self._took)
        self._took = 0.0
        return found

    def _due(self, known: dict[str, Known]) -> Iterator[tuple[str, Stamp]]:
        """Each run that ought to be in the queue and is not, and when its record last changed."""
        queued = {entry.run_id for entry in self._queue.entries()}
        for name, each in known.items():
            if each.stamp is None or each.state in ENDED or name in queued or self._foreign.get(name) == each.stamp:
                continue
            if _is_name(name) and self._store.is_sealed(name, each.seal):
                yield name, each.stamp
            else:
                self._foreign[name] = each.stamp

    def _enqueue(self, name: str) -> str:
        summary = snapshot.load(self._store.run_dir(name)).fold.summary()
        self._queue.enqueue(name, priority=summary.priority, user=summary.user, **_needs(self._store, name))
        return name


def _is_name(name: str) -> bool:
    try:
        check_name("run", name)
    except SpecError:
        return False
    return True


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
