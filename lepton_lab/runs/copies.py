"""Copies of runs on shared storage, so that a run can go on when the host of its worker is lost.

```
runs/<store id>/<run>/at-<step, 10 digits>.json   the files of one copy and their parts; put last
runs/<store id>/<run>/parts/<sha256>              the parts; those that two copies share lie there once
```

A copy is the last checkpoint with the run's record up to there. `put` and `remove` are for one process at a time.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from lepton_lab.errors import LeptonError, RunError, StoreError, UnknownName
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.depot import Depot
from lepton_lab.runs.parts import Manifest, fetch, send
from lepton_lab.runs.paths import Store
from lepton_lab.runs.shared import VARIABLE, SharedStorage

if TYPE_CHECKING:
    from lepton_lab.runs.record import RunRecord

KEEP = 2
"""Copies that stay, the newest ones."""
NOTE_FILE = "copies.json"
"""In the run's folder: where its copies are."""
_ALONG = ("spec.json", "events.jsonl", "plan.json", "labels.json", "report.json", "devices.json")
_MARK = re.compile(r"at-(\d{10})\.json")


class Copied(NamedTuple):
    """What was put on the storage.

    Attributes:
        step: The checkpoint's.
        bytes: What was sent.
        steps: All copies that there are now, oldest first.
    """

    step: int
    bytes: int
    steps: list[int]


class RunCopies:
    """The copies of one run.

    Args:
        storage: Where they are.
        place: What their names begin with.
    """

    def __init__(self, storage: SharedStorage, place: str) -> None:
        self._storage, self.place = storage, place

    @classmethod
    def of(cls, storage: SharedStorage, store: Store, run_id: str) -> RunCopies:
        """Those of a run of a store."""
        return cls(storage, f"runs/{store.id}/{run_id}")

    def put(self, run_dir: Path) -> Copied | None:
        """Copies the last checkpoint and the record; takes away what is older than the copies that stay.

        Returns:
            What was put there; None where the run has no checkpoint yet.

        Raises:
            RunError: The storage does not take it, or the files have changed meanwhile.
        """
        found = latest_checkpoint(run_dir)
        if found is None:
            return None
        step, folder = found
        try:
            files = {f"checkpoints/{folder.name}/{file.name}": file for file in sorted(folder.iterdir())}
            files |= {name: run_dir / name for name in _ALONG if (run_dir / name).exists()}
            manifest = Manifest.of(files)
        except OSError as error:
            raise RunError(f"The checkpoint of step {step} has gone while it was copied ({error.strerror}).") from None
        sent = send(self._storage, f"{self.place}/parts", files, manifest)
        self._storage.put(f"{self.place}/{_mark(step)}", manifest.encode())
        return Copied(step, sent, self._thin(step))

    def steps(self) -> list[int]:
        """The steps of the copies, oldest first.

        Raises:
            RunError: The storage cannot be read.
        """
        marks = (_MARK.fullmatch(name) for name in self._storage.sizes(self.place))
        return sorted(int(mark[1]) for mark in marks if mark)

    def fetch(self, folder: Path) -> int:
        """Brings the newest copy that is whole into an empty folder; returns its step.

        Raises:
            RunError: There is none, or the storage cannot be read.
        """
        problem = f"{self.place} has no copy on the shared storage {self._storage.url!r}."
        for step in reversed(self.steps()):
            try:
                manifest = self._manifest(step)
                fetch(manifest, folder, lambda part: self._storage.get(f"{self.place}/parts/{part.sha256}"))
                return step
            except RunError as error:
                problem = str(error)
                shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        raise RunError(problem)

    def bytes(self) -> int:
        """What they take there.

        Raises:
            RunError: The storage cannot be read.
        """
        return sum(self._storage.sizes(self.place).values())

    def remove(self) -> None:
        """Takes all of them away.

        Raises:
            RunError: The storage does not let them go.
        """
        self._storage.remove(self.place)

    def _manifest(self, step: int) -> Manifest:
        content = self._storage.get(f"{self.place}/{_mark(step)}")
        if content is None:
            raise RunError(f"The copy of step {step} of {self.place} has just been taken away.")
        return Manifest.parse(content)

    def _thin(self, newest: int) -> list[int]:
        """Leaves the newest copies and returns their steps; a later step is of a history that the run has left."""
        steps = self.steps()
        staying = [step for step in steps if step <= newest][-KEEP:]
        for step in steps:
            if step not in staying:
                self._storage.remove(f"{self.place}/{_mark(step)}")
        wanted = {part.sha256 for step in staying for part in self._manifest(step).parts}
        for name in self._storage.sizes(f"{self.place}/parts"):
            if name not in wanted:
                self._storage.remove(f"{self.place}/parts/{name}")
        return staying


def _mark(step: int) -> str:
    return f"at-{step:010d}.json"


class Note(NamedTuple):
    """What a run's folder says of its copies.

    Attributes:
        url: The storage.
        place: Where they are there.
        steps: Which there are.
    """

    url: str = ""
    place: str = ""
    steps: tuple[int, ...] = ()


def read_note(run_dir: Path) -> Note:
    """What is known of a run's copies without asking the storage; nothing where there is no note."""
    try:
        values = read_json(run_dir / NOTE_FILE) if (run_dir / NOTE_FILE).exists() else {}
        note = Note(**values)
        return note._replace(steps=tuple(int(step) for step in note.steps))
    except (StoreError, TypeError, ValueError):
        return Note()


def write_note(run_dir: Path, note: Note) -> None:
    """Keeps it for `read_note`."""
    write_json(run_dir / NOTE_FILE, note._asdict(), durable=False)


def places(storage: SharedStorage) -> list[str]:
    """Every run that has copies there, as "<store id>/<run>".

    Raises:
        RunError: The storage cannot be read.
    """
    return [f"{store}/{run}" for store in storage.folders("runs") for run in storage.folders(f"runs/{store}")]


def find(storage: SharedStorage, name: str) -> RunCopies:
    """The copies of a run by its name, or by its store's id and its name: "digits-cnn-1", "1a2b.../digits-cnn-1".

    Raises:
        UnknownName: There are none.
        RunError: Runs of several stores have that name.
    """
    known = places(storage)
    matching = [place for place in known if name in (place, place.partition("/")[2])]
    if not matching:
        raise UnknownName("run on shared storage", name, [place.partition("/")[2] for place in known])
    if len(matching) > 1:
        raise RunError(f"Several stores have copied a run called {name!r}; say which: {', '.join(matching)}.")
    return RunCopies(storage, f"runs/{matching[0]}")


def take_up(store: Store, name: str, *, by: str, as_name: str | None = None, move: bool = False) -> RunRecord:
    """Brings a run from shared storage into this store, where it stands as stopped and can be resumed.

    Args:
        store: This host's store.
        name: As for `find`.
        by: Who asks.
        as_name: Its name here (default: as it was).
        move: Whether its copies go, because the host that made them is lost.

    Raises:
        UnknownName: The storage has no such run.
        RunError: No storage is set, or the run cannot be read there, or its name is taken here.
    """
    from lepton_lab.runs.lifecycle import import_run

    storage = SharedStorage.set_by_user()
    if storage is None:
        raise RunError(
            f"No shared storage is set; {VARIABLE} names it (file:///mnt/shared/lepton, s3://bucket/lepton)."
        )
    copies = find(storage, name)
    run_id = as_name or copies.place.rpartition("/")[2]
    store.prepare()
    if store.run_dir(run_id).exists():
        raise RunError(f"There is a run called {run_id!r} already; give the one from shared storage another name.")
    with TemporaryDirectory(prefix=".new-", dir=store.runs_dir) as folder:
        copies.fetch(Path(folder))
        _fetch_data(storage, store, Path(folder))
        record = import_run(store, Path(folder), name=run_id, by=f"{by}, from shared storage")
    if move:
        copies.remove()
    return record


def _fetch_data(storage: SharedStorage, store: Store, folder: Path) -> None:
    """Arrays and frames of a notebook come along; what has a name or a path is loaded from there."""
    fingerprint = read_json(folder / "spec.json")["data"].get("fingerprint")
    if fingerprint is None or (target := store.cache_dir(fingerprint)).exists():
        return
    depot = Depot(storage, fingerprint)
    with TemporaryDirectory(prefix=".building-", dir=store.caches_dir) as half:
        whole = Path(half, fingerprint)
        whole.mkdir(mode=0o700)
        depot.get(depot.manifest(), whole)
        os.rename(whole, target)


def remove_copies_of(store: Store, run_id: str) -> None:
    """Takes a deleted run's copies away; `gc` names those that could not be reached."""
    with suppress(LeptonError):  # a package for the storage may be missing here, too
        storage = SharedStorage.set_by_user()
        if storage is not None:
            RunCopies.of(storage, store, run_id).remove()
