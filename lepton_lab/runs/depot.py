"""Prepared data on storage that every host of a cluster reaches (`runs.shared`), in parts.

A dataset is put there once, by its fingerprint; each host copies to its own disk, once, what its ranks need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lepton_lab.errors import RunError
from lepton_lab.runs.parts import MANIFEST, Manifest, fetch, send
from lepton_lab.runs.shared import SharedStorage


@dataclass(frozen=True)
class Depot:
    """A dataset's place on shared storage.

    Attributes:
        storage: The storage.
        fingerprint: The dataset's.
    """

    storage: SharedStorage
    fingerprint: str

    def put(self, folder: Path) -> None:
        """Copies the files of a folder there, unless they are.

        Raises:
            RunError: The storage cannot be written.
        """
        if self.storage.get(f"{self._place}/{MANIFEST}") is not None:
            return
        files = {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}
        manifest = Manifest.of(files)
        send(self.storage, self._place, files, manifest)
        self.storage.put(f"{self._place}/{MANIFEST}", manifest.encode())

    def manifest(self) -> Manifest:
        """What is there.

        Raises:
            RunError: The storage cannot be read, or nothing whole is there.
        """
        found = self.storage.get(f"{self._place}/{MANIFEST}")
        if found is None:
            raise RunError(f"The shared storage {self.storage.url!r} has no whole copy of data {self.fingerprint}.")
        return Manifest.parse(found)

    def get(self, manifest: Manifest, folder: Path) -> int:
        """Copies files into a folder, or what is missing of them; returns the bytes that were copied.

        Args:
            manifest: Which; as `manifest` gave it, or some of it.
            folder: Where to.

        Raises:
            RunError: The storage cannot be read, or lacks some of them.
        """
        return fetch(manifest, folder, lambda part: self.storage.get(f"{self._place}/{part.sha256}"))

    @property
    def _place(self) -> str:
        return f"data/{self.fingerprint}"
