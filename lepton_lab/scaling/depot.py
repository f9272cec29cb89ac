"""Prepared data on storage that every host of a cluster reaches: a shared folder, S3, or what else fsspec knows.

`LEPTON_SHARED_STORAGE` names it (`file:///mnt/shared/lepton`, `s3://bucket/lepton`). A dataset is put there once, by
its fingerprint, and each host copies it to its own disk once; without it hosts fetch it from the worker's host.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import RunError

VARIABLE = "LEPTON_SHARED_STORAGE"
WHOLE_FILE = "whole.json"
"""The names and sizes of a folder's files; written last, because object stores cannot put a folder in place at once."""
PIECE_BYTES = 32 * 2**20


def shared_storage() -> str | None:
    """The URL that is set, if any."""
    return os.environ.get(VARIABLE) or None


@dataclass(frozen=True)
class Depot:
    """A folder of files on shared storage.

    Attributes:
        url: As fsspec understands it.
    """

    url: str

    def put(self, folder: Path) -> None:
        """Copies the files of a folder there, unless they are.

        Raises:
            RunError: The storage cannot be written.
        """
        try:
            fs, root = self._open()
            if self._sizes(fs, root) is not None:
                return
            fs.makedirs(root, exist_ok=True)
            files = [file for file in sorted(folder.iterdir()) if file.is_file()]
            for file in files:
                with open(file, "rb") as ours, fs.open(f"{root}/{file.name}", "wb") as theirs:
                    shutil.copyfileobj(ours, theirs, PIECE_BYTES)
            sizes = {file.name: file.stat().st_size for file in files}
            with fs.open(f"{root}/{WHOLE_FILE}", "wb") as whole:
                whole.write(json.dumps(sizes).encode())
        except (OSError, ImportError, ValueError) as error:
            raise RunError(
                f"The shared storage {self.url!r} cannot be written ({error}). Correct {VARIABLE}, or install what "
                "fsspec needs for it (s3fs for s3://)."
            ) from error

    def get(self, folder: Path) -> None:
        """Copies the files into a folder.

        Raises:
            RunError: The storage cannot be read, or lacks some of them.
        """
        try:
            fs, root = self._open()
            sizes = self._sizes(fs, root)
            if sizes is None:
                raise FileNotFoundError(f"nothing whole is at {root}")
            for name, size in sizes.items():
                with fs.open(f"{root}/{Path(name).name}", "rb") as theirs, open(folder / Path(name).name, "wb") as ours:
                    shutil.copyfileobj(theirs, ours, PIECE_BYTES)
                if (folder / Path(name).name).stat().st_size != size:
                    raise OSError(f"{name} does not have its {size} bytes")
        except (OSError, ImportError, ValueError) as error:
            raise RunError(
                f"The shared storage {self.url!r} cannot be read on this host ({error}). Every host of the cluster "
                f"must reach it; correct {VARIABLE} where the run is started."
            ) from error

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        fs, root = url_to_fs(self.url)
        return fs, str(root).rstrip("/")

    @staticmethod
    def _sizes(fs: Any, root: str) -> dict[str, int] | None:
        try:
            with fs.open(f"{root}/{WHOLE_FILE}", "rb") as whole:
                return {str(name): int(size) for name, size in json.load(whole).items()}
        except FileNotFoundError:
            return None
