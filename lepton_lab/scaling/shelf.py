"""Prepared data on other hosts: read where it lies if they can see it, else fetched to each host once, from shared
storage where there is some (`depot`).

What the ranks read goes over in parts, from the host that has it, and is put in place whole; its name is its
fingerprint, so that the next run on that host finds it. A fetch that was cut short goes on where it was.
"""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from lepton_lab.data import PreparedDataset
from lepton_lab.data.loading import open_prepared
from lepton_lab.data.storage import folder, read_meta, seal_part, set_aside
from lepton_lab.runs.depot import Depot
from lepton_lab.runs.parts import Manifest, Part, fetch, read_part
from lepton_lab.runs.paths import Store
from lepton_lab.runs.shared import SharedStorage
from lepton_lab.specs import DataSpec

SPLITS = ("train", "validation")
"""What ranks read; the test part is the worker's."""


class Shelf:
    """Gives out the files of one folder; an actor on the host that has it.

    Args:
        path: The folder.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._manifest: Manifest | None = None

    def manifest(self) -> Manifest:
        """The parts of the files that ranks read."""
        if self._manifest is None:
            files = {file.name: file for file in sorted(self._path.iterdir()) if file.is_file()}
            self._manifest = Manifest.of({name: files[name] for name in needed(files)})
        return self._manifest

    def part(self, name: str, start: int, num_bytes: int) -> bytes:
        """A part of a file of the folder."""
        return read_part(self._path / Path(name).name, start, num_bytes)


def needed(names: Iterable[str]) -> list[str]:
    """Those of a prepared folder's files that ranks read: neither the test part, nor what a person would send."""
    return [name for name in names if not name.startswith("test.") and ".raw." not in name]


class Contents(NamedTuple):
    """Which dataset it is; its rows stay where they are.

    Attributes:
        name: As `PreparedDataset.name`; `title`, `spec` and `fingerprint` likewise.
    """

    name: str
    title: str
    spec: DataSpec
    fingerprint: str

    @classmethod
    def of(cls, dataset: PreparedDataset) -> Contents:
        """Those of a dataset."""
        return cls(dataset.name, dataset.title, dataset.spec, dataset.fingerprint)


@dataclass(frozen=True)
class Parcel:
    """What a rank needs to have the dataset.

    Attributes:
        name: As `PreparedDataset.name`; `title` and `spec` likewise.
        fingerprint: The folder's name.
        store: Where the folder lies on the host that has it.
        shelf: The actor that gives it out; None where it lies on shared storage.
        depot: Where it lies there.
    """

    name: str
    title: str
    spec: DataSpec
    fingerprint: str
    store: Path
    shelf: Any
    depot: Depot | None = None

    def open(self) -> PreparedDataset:
        """The training and validation parts, from the store itself where this host sees it, else from a copy here."""
        seen = folder(Store(self.store), self.fingerprint)
        path = seen if read_meta(seen) is not None else self.fetched(local_cache())
        return open_prepared(path, name=self.name, title=self.title, spec=self.spec, splits=SPLITS)

    def fetched(self, cache: Path) -> Path:
        """The folder on this host; brought here by the first rank that asks, while the others wait."""
        path, half = cache / self.fingerprint, cache / f".half-{self.fingerprint}"
        with FileLock(cache / f"{self.fingerprint}.lock", mode=0o600):
            if read_meta(path) is not None:
                return path
            if path.exists():
                set_aside(path)
            half.mkdir(mode=0o700, exist_ok=True)
            if self.depot is not None:
                manifest = self.depot.manifest()
                self.depot.get(manifest.only(needed(manifest.sizes)), half)
            else:
                self._fetch(half)
            seal_part(half)
            half.rename(path)
        return path

    def _fetch(self, into: Path) -> None:
        import ray

        def get(part: Part) -> bytes:
            return bytes(ray.get(self.shelf.part.remote(part.file, part.start, part.bytes)))

        fetch(ray.get(self.shelf.manifest.remote()), into, get)


def local_cache() -> Path:
    """A private folder of this host for data of other ones."""
    path = Path(tempfile.gettempdir()) / f"lepton-data-{getpass.getuser()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def put_on_shelf(ray: Any, dataset: Contents, store: Path) -> Parcel:
    """Puts the dataset on shared storage where there is some; else an actor gives it out while this process lives.

    Raises:
        RunError: The shared storage cannot be written.
    """
    storage = SharedStorage.set_by_user()
    if storage is not None:
        depot = Depot(storage, dataset.fingerprint)
        depot.put(folder(Store(store), dataset.fingerprint))
        return Parcel(dataset.name, dataset.title, dataset.spec, dataset.fingerprint, store, None, depot)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Shelf).options(num_cpus=0, scheduling_strategy=here)
    shelf = actor.remote(str(folder(Store(store), dataset.fingerprint)))
    return Parcel(dataset.name, dataset.title, dataset.spec, dataset.fingerprint, store, shelf)
