"""Runs that ought to be in the queue and are not: their submitter died halfway, or the queue's file was lost."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.paths import Store
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.states import ENDED

_OLD_SECONDS = 3600.0


def enqueue_orphans(store: Store, queue: Queue) -> list[str]:
    """Queues the runs that were submitted in this store, have not ended and are not in the queue.

    A folder that was copied in from elsewhere does not carry this store's seal and is left alone, so that nobody's
    code is run for having been copied.

    Returns:
        The names of the runs that were queued.

    Raises:
        StoreError: If the queue cannot be read or written.
    """
    known = {entry.run_id for entry in queue.entries()}
    found = []
    for entry in sorted(os.scandir(store.runs_dir), key=lambda each: each.name):
        if entry.name.startswith("."):
            _remove_if_old(entry)
        elif entry.name not in known and _is_due(store, entry.name):
            summary = snapshot.load(store.run_dir(entry.name)).fold.summary()
            needs = _needs(store, entry.name)
            queue.enqueue(entry.name, priority=summary.priority, user=summary.user, **needs)
            found.append(entry.name)
    return found


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
            "device": str(train.get("device", "auto")),
            "share": float(train.get("gpu_fraction", 1.0)),
            "devices": int(train.get("devices", 1)),
        }
    except (StoreError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _remove_if_old(entry: os.DirEntry[str]) -> None:
    """Removes what was left of a run's creation that was cut off."""
    if entry.name.startswith((".new-", ".trash-")) and time.time() - entry.stat().st_mtime > _OLD_SECONDS:
        shutil.rmtree(entry.path, ignore_errors=True)
