"""Which content of a public file is the right one: the hash that its makers state, or the one that came first."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from uuid import uuid4

from lepton_lab.data.material import Remark
from lepton_lab.data.registry import DatasetInfo, RemoteFile
from lepton_lab.data.storage import HasRoot, folder, make_cache
from lepton_lab.errors import StoreError


class Trust:
    """What is known of a dataset's files; hashes seen first are kept in the store.

    Args:
        info: The dataset.
        store: Where the hashes of files without a stated one are kept.
    """

    def __init__(self, info: DatasetInfo, store: HasRoot) -> None:
        self._info, self._store = info, store
        self._home = folder(store, f"downloads-{info.name}")
        self._file = self._home / "seen-first.json"
        self._seen = self._read()
        self._new: list[str] = []

    def accepts(self, path: Path, file: RemoteFile) -> bool:
        """Whether a file's content is the right one; without a stated SHA-256 the first content becomes it."""
        if file.num_bytes is not None and path.stat().st_size != file.num_bytes:
            return False
        content = _hash(path, "sha256")
        if file.sha256 is not None:
            return content == file.sha256
        if file.name in self._seen:
            return content == self._seen[file.name]
        if file.md5 is not None and _hash(path, "md5") != file.md5:
            return False
        self._remember(file.name, content)
        return True

    def word(self, file: RemoteFile) -> str:
        """What the right content is called: "official", or "first seen"."""
        return "official" if file.sha256 or (file.md5 and file.name not in self._seen) else "first seen"

    def remarks(self) -> list[Remark]:
        """What a person should know: files of which the makers state no SHA-256."""
        named = [file for file in self._info.files if file.sha256 is None]
        if not named:
            return []
        stated = "their MD5 only" if all(file.md5 for file in named) else "no SHA-256"
        shown = ", ".join(f"{file.name} {self._seen.get(file.name, '?')}" for file in named[:4])
        more = f" and {len(named) - 4} more" if len(named) > 4 else ""
        message = (
            f"The makers of {self._info.title} state {stated} of its files; the content that came first was taken, "
            f"and no other one will be: {shown}{more}."
        )
        return [Remark("seen_first", "warning" if self._new else "note", message)]

    def _remember(self, name: str, content: str) -> None:
        self._seen = {**self._read(), name: content}
        self._new.append(name)
        try:
            make_cache(self._store)
            self._home.mkdir(exist_ok=True, mode=0o700)
            temporary = self._file.with_name(f".{self._file.name}-{uuid4().hex[:8]}")
            temporary.write_text(json.dumps(self._seen), "utf-8")
            os.replace(temporary, self._file)
        except OSError as error:
            raise StoreError(f"The hash of {name} cannot be kept in {str(self._home)!r}: {error.strerror}.") from error

    def _read(self) -> dict[str, str]:
        try:
            seen = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(content) for name, content in seen.items()} if isinstance(seen, dict) else {}


def _hash(path: Path, kind: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()
