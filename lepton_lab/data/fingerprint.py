"""Names for content: the same bytes and options give the same name, anything else another one.

Files are named by their content. Reading a large file again to learn that nothing changed would be slow, so the
content's hash is remembered beside the file's size, times and inode, and trusted only when those were old enough at
the time of hashing that a later write must have changed them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from lepton_lab.data.scan import Scan
from lepton_lab.data.storage import HasRoot, folder, make_cache
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

_LENGTH = 32
_SETTLED_NANOSECONDS = 2_000_000_000
_WHOLE_BYTES = 2**18
_FILES_A_PART = 128
"""Smaller files are hashed in one go, which costs a fraction of the calls."""
_IRRELEVANT = {"name", "mirror", "fingerprint", "connection", "query", "parameters"}


def of_values(*values: Any) -> str:
    """Fingerprint of JSON-able values."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_LENGTH]


def of_prepared(source: str, spec: DataSpec, version: int) -> str:
    """Fingerprint of a source's content together with the options that shape what is made of it."""
    return of_values("prepared", version, source, spec.model_dump(mode="json", exclude=_IRRELEVANT))


def of_arrays(arrays: Iterable[np.ndarray], *values: Any) -> str:
    """Fingerprint of arrays: type, shape and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode("ascii"))
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return of_values("arrays", digest.hexdigest(), *values)


def of_files(store: HasRoot, root: Path, files: Sequence[Path]) -> str:
    """Fingerprint of files by relative path and content.

    Args:
        store: Where the hashes are remembered.
        root: The folder that the paths are taken relative to.
        files: The files, in any order.
    """
    place = files[0] if len(files) == 1 else root
    memory_file = folder(store, "sources") / (of_values(str(place.resolve())) + ".json")
    known = _remembered(memory_file)
    names = {file.relative_to(root).as_posix(): file for file in files}

    def look(part: list[str]) -> list[dict[str, Any]]:
        entries = []
        for name in part:
            try:
                entries.append(_entry(names[name], known.get(name)))
            except OSError as error:
                raise DataError(f"{str(names[name])!r} cannot be read: {error.strerror}.") from None
        return entries

    ordered = sorted(names)
    # Parts of many files: to hand a small one to a thread takes longer than to read it.
    parts = [ordered[start : start + _FILES_A_PART] for start in range(0, len(ordered), _FILES_A_PART)]
    with ThreadPoolExecutor(1) as threads:
        fresh = dict(zip(ordered, chain.from_iterable(threads.map(look, parts)), strict=True))
    _remember(store, memory_file, fresh)
    return of_values("files", sorted((name, entry["sha256"]) for name, entry in fresh.items()))


def of_folder(store: HasRoot, scan: Scan, files: Callable[[], Sequence[Path]], *options: str | None) -> str:
    """Fingerprint of a folder's files, remembered as a whole: when nothing in it changed, no file is looked at twice.

    Args:
        store: Where it is remembered.
        scan: The folder as it was found.
        files: Names the files that count; called only when something may have changed.
        options: What decides which files count.
    """
    memory_file = folder(store, "sources") / (of_values("folder", str(scan.root.resolve()), list(options)) + ".json")
    known = _remembered_text(memory_file)
    if known.get("digest") == scan.digest and isinstance(known.get("content"), str):
        return str(known["content"])
    settled = time.time_ns() - scan.newest > _SETTLED_NANOSECONDS
    content = of_files(store, scan.root, files())
    if settled:
        _remember(store, memory_file, {"digest": scan.digest, "content": content})
    return content


def _remembered_text(memory_file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(memory_file.read_text("utf-8"))
        return entries if isinstance(entries, dict) else {}
    except (OSError, ValueError):
        return {}


def _entry(file: Path, known: dict[str, Any] | None) -> dict[str, Any]:
    mark = _mark(file)
    if known is not None and known["mark"] == mark:
        return known
    now = time.time_ns()
    return {"mark": mark, "sha256": _hash(file), "settled": now - max(mark[1:3]) > _SETTLED_NANOSECONDS}


def _mark(file: Path) -> list[int]:
    state = file.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def of_content(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    return _hash(file)


def _hash(file: Path) -> str:
    # Plain calls of the system: for a small picture a file object costs five times what reading and hashing do.
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(handle).st_size
        if size < _WHOLE_BYTES and len(content := os.read(handle, size + 1)) == size:
            return hashlib.sha256(content).hexdigest()
    finally:
        os.close(handle)
    with open(file, "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remembered(memory_file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(memory_file.read_text("utf-8"))
        return {name: entry for name, entry in entries.items() if entry["settled"] and len(entry["sha256"]) == 64}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(store: HasRoot, memory_file: Path, entries: dict[str, Any]) -> None:
    """Best effort: without the memory the next call hashes again."""
    try:
        make_cache(store)
        memory_file.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = memory_file.with_name(f".{memory_file.name}-{uuid4().hex[:8]}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(json.dumps(entries))  # `dump` writes in pieces, ten times slower
        temporary.replace(memory_file)
    except OSError:
        return
