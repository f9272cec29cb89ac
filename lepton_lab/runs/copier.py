"""The process that copies a run to shared storage while its worker trains: `python -m lepton_lab.runs.copier`.

A process of its own, so that a training never waits for a network, and what forks a worker forks no connections. It
looks for a new checkpoint every second, says on its standard output what it has done, one JSON object a line, and
leaves with a last copy when its standard input ends: with its worker.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton_lab.errors import LeptonError, StoreError
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.checkpoints import newest_step
from lepton_lab.runs.copies import RunCopies
from lepton_lab.runs.depot import Depot
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.paths import Store
from lepton_lab.runs.shared import SharedStorage

LOOK_SECONDS = 1.0
LOCK_FILE = "copies.lock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Copies until the standard input ends; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.runs.copier", description="Copies one run of a store.")
    parser.add_argument("--store", required=True, type=Path, help="folder of the run store")
    parser.add_argument("--run", required=True, metavar="ID", help="the run")
    options = parser.parse_args(arguments)
    store = Store(options.store)
    storage = SharedStorage.set_by_user()
    if storage is None:
        return 0
    run_dir = store.run_dir(options.run)
    lock = FileLock(run_dir / LOCK_FILE)
    while not lock.acquire(LOOK_SECONDS):
        pass  # the copier of the worker before this one makes its last copy
    _watch(run_dir, Copying(storage, store, options.run))
    return 0


class Copying:
    """Copies one run and says so.

    Args:
        storage: Where to.
        store: The run's store.
        run_id: The run.
    """

    def __init__(self, storage: SharedStorage, store: Store, run_id: str) -> None:
        self._storage, self._store, self._run_id = storage, store, run_id
        self._copies = RunCopies.of(storage, store, run_id)
        self._has_data = False

    def copy(self) -> bool:
        """One copy; returns whether it is there."""
        began = time.monotonic()
        try:
            self._copy_data()
            copied = self._copies.put(self._store.run_dir(self._run_id))
        except LeptonError as error:
            _say(problem=str(error))
            return False
        if copied is not None:
            seconds = round(time.monotonic() - began, 3)
            place = self._copies.place
            _say(url=self._storage.url, place=place, seconds=seconds, **copied._asdict())
        return True

    def _copy_data(self) -> None:
        """Arrays and frames of a notebook go along, because no other host could load them."""
        if self._has_data:
            return
        try:
            fingerprint = read_json(self._store.run_dir(self._run_id) / "spec.json")["data"].get("fingerprint")
        except (StoreError, KeyError, AttributeError):
            fingerprint = None
        if fingerprint is not None:
            Depot(self._storage, str(fingerprint)).put(self._store.cache_dir(str(fingerprint)))
        self._has_data = True


def _watch(run_dir: Path, copying: Copying) -> None:
    done, is_over = 0, False
    while not is_over:
        is_over = _is_over()
        step = newest_step(run_dir)
        if step != done or is_over:
            done = step if copying.copy() else done


def _is_over() -> bool:
    """Waits a little; returns whether the worker has gone."""
    return bool(select.select([sys.stdin], [], [], LOOK_SECONDS)[0])


def _say(**said: Any) -> None:
    try:
        print(json.dumps(said), flush=True)
    except BrokenPipeError:
        return  # nobody listens any more; the copy is there


if __name__ == "__main__":
    sys.exit(main())
