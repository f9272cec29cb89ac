"""A checkpoint's files over a wire in pieces, so that no process has a whole one of them in memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton_lab.runs.atomic import store_error

PIECE_BYTES = 1 << 24
MANIFEST = "manifest.json"


def pieces_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Every file of a folder in pieces: its name, where the piece begins, and its bytes."""
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            while content := file.read(PIECE_BYTES):
                yield {"name": path.name, "offset": file.tell() - len(content), "content": content}


def add_piece(folder: Path, name: str, offset: int, content: bytes) -> None:
    """Writes a piece into its file; the first one begins the file anew.

    Raises:
        StoreError: The disk does not take it.
    """
    path = folder / Path(name).name
    try:
        with path.open("ab" if offset else "wb") as file:
            file.write(content)
    except OSError as error:
        raise store_error(error, path) from error


class Incoming:
    """A checkpoint that comes in pieces, until it is complete.

    Args:
        folder: Where they are kept meanwhile; on the disk of what they become.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Forgets what has come."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, piece: dict[str, Any]) -> None:
        """Takes a piece of `pieces_of`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        add_piece(self._folder, **piece)

    def move_to(self, folder: Path) -> None:
        """Moves the files into a folder, which has a manifest of its own."""
        for path in self._folder.iterdir():
            if path.name != MANIFEST:
                os.replace(path, folder / path.name)
        self.clear()
