"""Prepared data on other hosts: read where it lies if they can see it, else fetched to each host once, from shared
storage where there is some (`depot`).

The folder goes over in pieces, on demand, from the host that has it, and is put in place whole; its name is its
fingerprint, so that the next run on that host finds it.
"""

from __future__ import annotations

import getpass
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from filelock import FileLock

from lepton_lab.data import PreparedDataset
from lepton_lab.data.loading import open_prepared
from lepton_lab.data.storage import folder, read_meta
from lepton_lab.runs.paths import Store
from lepton_lab.scaling.depot import Depot, shared_storage
from lepton_lab.specs import DataSpec

PIECE_BYTES = 32 * 2**20


class Shelf:
    """Gives out the files of one folder; an actor on the host that has it.

    Args:
        path: The folder.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def sizes(self) -> dict[str, int]:
        """The files and their sizes."""
        return {file.name: file.stat().st_size for file in sorted(self._path.iterdir()) if file.is_file()}

    def piece(self, name: str, start: int) -> bytes:
        """A piece of a file of the folder."""
        with open(self._path / Path(name).name, "rb") as file:
            file.seek(start)
            return file.read(PIECE_BYTES)


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
        """The dataset, from the store itself where this host sees it, else from a copy on this host."""
        seen = folder(Store(self.store), self.fingerprint)
        path = seen if read_meta(seen) is not None else self.fetched(local_cache())
        return open_prepared(path, name=self.name, title=self.title, spec=self.spec)

    def fetched(self, cache: Path) -> Path:
        """The folder on this host; brought here by the first rank that asks, while the others wait."""
        path = cache / self.fingerprint
        with FileLock(cache / f"{self.fingerprint}.lock", mode=0o600):
            if read_meta(path) is not None:
                return path
            shutil.rmtree(path, ignore_errors=True)
            temporary = cache / f".{self.fingerprint}-{uuid4().hex[:8]}"
            temporary.mkdir(mode=0o700)
            try:
                if self.depot is not None:
                    self.depot.get(temporary)
                else:
                    self._fetch(temporary)
                temporary.rename(path)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return path

    def _fetch(self, into: Path) -> None:
        import ray

        for name, size in ray.get(self.shelf.sizes.remote()).items():
            with open(into / name, "wb") as file:
                for start in range(0, size, PIECE_BYTES):
                    file.write(ray.get(self.shelf.piece.remote(name, start)))


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
    url = shared_storage()
    if url is not None:
        depot = Depot(f"{url.rstrip('/')}/data/{dataset.fingerprint}")
        depot.put(folder(Store(store), dataset.fingerprint))
        return Parcel(dataset.name, dataset.title, dataset.spec, dataset.fingerprint, store, None, depot)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Shelf).options(num_cpus=0, scheduling_strategy=here)
    shelf = actor.remote(str(folder(Store(store), dataset.fingerprint)))
    return Parcel(dataset.name, dataset.title, dataset.spec, dataset.fingerprint, store, shelf)
