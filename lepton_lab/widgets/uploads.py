"""Files that a page sends piece by piece, written into the run store for the Data step to load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lepton_lab.errors import DataError

FOLDER = "uploads"
MAX_BYTES = 500_000_000
ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".txt", ".npz", ".zip")
_NAME = re.compile(r"[\w][\w .()+-]{0,120}")
_ODD = re.compile(r"[^\w .()+/\\-]")


class Upload:
    """One file on its way; pieces come in order, and the file takes its name when it is whole.

    Args:
        root: The run store's folder.
        name: The file's name on the person's machine.
        total: Its size in bytes.

    Raises:
        DataError: If the name or the size cannot be taken.
    """

    def __init__(self, root: Path, name: Any, total: Any) -> None:
        name = _ODD.sub("-", name).lstrip("- ") if isinstance(name, str) else name  # "Bob's.csv" is a fine name
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.lower().endswith(ENDINGS):
            raise DataError(f"{name!r} cannot be taken; expected a file whose name ends with {', '.join(ENDINGS)}.")
        if not isinstance(total, int) or not 0 < total <= MAX_BYTES:
            raise DataError(
                f"{name} has {total} bytes; expected 1 to {MAX_BYTES:,}. Put it beside the notebook and type its path."
            )
        self.path, self.total, self.received = root / FOLDER / name, total, 0
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part = self.path.with_name(f".{name}.part")
        self._part.write_bytes(b"")
        self._part.chmod(0o600)

    def add(self, offset: Any, piece: bytes) -> bool:
        """Takes the piece that begins at `offset`; returns whether the file is whole now.

        Raises:
            DataError: If a piece is missing, or there is more than was announced.
        """
        if offset != self.received or self.received + len(piece) > self.total:
            self._part.unlink(missing_ok=True)
            raise DataError(f"{self.path.name} did not arrive whole; choose it again.")
        with self._part.open("ab") as file:
            file.write(piece)
        self.received += len(piece)
        if self.received == self.total:
            self._part.replace(self.path)
            return True
        return False
