"""The tensor store: one folder per fingerprint with .npy files and meta.json, there whole or not at all.

A folder is built under a temporary name in the same directory, every file is flushed to disk, and the rename comes
last. Readers map the arrays into memory; nothing is read until it is used.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np

from lepton_lab.errors import DataError, StoreError

FORMAT = 1
LIMIT_VARIABLE = "LEPTON_CACHE_GIGABYTES"
"""Environment: how large the cache may become before what was used longest ago is removed."""
_DEFAULT_LIMIT_GIGABYTES = 100.0
META = "meta.json"
_ABANDONED_SECONDS = 6 * 3600.0
_CHUNK_BYTES = 32 * 2**20
_FINGERPRINT = re.compile(r"[A-Za-z0-9_-]{1,64}")


class HasRoot(Protocol):
    """What the data room needs of a store: the folder that it lives in."""

    @property
    def root(self) -> Path: ...


def default_store() -> HasRoot:
    """The store of this user, as the environment says."""
    from lepton_lab.runs.paths import Store

    store: HasRoot = Store.default()
    return store


def folder(store: HasRoot, fingerprint: str) -> Path:
    """The folder of a fingerprint, whether it exists or not.

    Raises:
        DataError: When the fingerprint could not have been made by this room.
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise DataError(
            f"The fingerprint {fingerprint!r} is not valid; expected letters, digits, '-' and '_' "
            "(load the arrays again to get a new one)."
        )
    return Path(store.root) / "cache" / fingerprint


def make_cache(store: HasRoot) -> Path:
    """The folder of all fingerprints; it and the store's own are made where they are missing, closed to others."""
    root = Path(store.root)
    for place in (root, root / "cache"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root / "cache"


def read_meta(path: Path) -> dict[str, Any] | None:
    """The description of a stored folder, or None where it is absent, of another format or damaged."""
    try:
        meta = json.loads((path / META).read_text("utf-8"))
        sizes = {name: (path / name).stat().st_size for name in meta["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta if meta.get("format") == FORMAT and sizes == meta["files"] else None


@contextmanager
def build(store: HasRoot, fingerprint: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Builds the folder of a fingerprint; the body fills a temporary folder and the description.

    Yields:
        The temporary folder and the dict that becomes meta.json. When the body raises, nothing is left behind.
        When another process was faster, its folder stays and this one is dropped: both hold the same content.

    Raises:
        StoreError: When the disk is full or the folder cannot be written.
    """
    final = folder(store, fingerprint)
    temporary = final.parent / f".building-{fingerprint}-{uuid4().hex[:8]}"
    meta: dict[str, Any] = {"format": FORMAT, "fingerprint": fingerprint}
    try:
        make_cache(store)
        _sweep(final.parent)
        temporary.mkdir(mode=0o700)
        yield temporary, meta
        _seal(temporary, meta)
        _put_in_place(temporary, final)
        evict(store, final)
    except OSError as error:
        raise StoreError(
            f"The prepared data cannot be written to {final.parent}: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Removes what a killed build left behind, once it is old enough that nobody can be at work on it."""
    for leftover in parent.glob(".b*-*"):
        with_age = time.time() - leftover.stat().st_mtime if leftover.exists() else 0.0
        if with_age > _ABANDONED_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def _seal(path: Path, meta: dict[str, Any]) -> None:
    """Writes meta.json last and flushes every file and the folder."""
    meta["files"] = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
    (path / META).write_text(json.dumps(meta, ensure_ascii=False, allow_nan=False), "utf-8")
    for file in path.iterdir():
        file.chmod(0o600)
        _sync(file)
    _sync(path)


def seal_part(path: Path) -> None:
    """Makes a copy of some files of a stored folder whole as it is: meta.json names those that are there.

    Raises:
        OSError: When it cannot be written.
    """
    meta = json.loads((path / META).read_text("utf-8"))
    (path / META).unlink()
    _seal(path, meta)


def _put_in_place(temporary: Path, final: Path) -> None:
    if final.exists() and read_meta(final) is None:
        set_aside(final)  # it cannot be read: bit rot, an older format
    try:
        temporary.rename(final)
    except OSError:
        if read_meta(final) is None:
            raise
    _sync(final.parent)


def set_aside(path: Path) -> None:
    """Removes a stored folder: at once and as a whole, so that no reader sees half of it.

    Raises:
        OSError: When it cannot be moved.
    """
    aside = path.parent / f".broken-{path.name}-{uuid4().hex[:8]}"
    path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def touch(path: Path) -> None:
    """Notes that a stored folder is used now; best effort."""
    with suppress(OSError):
        os.utime(path)


def limit_bytes() -> int:
    """How large the cache may become.

    Raises:
        StoreError: When the setting is no number.
    """
    given = os.environ.get(LIMIT_VARIABLE) or _DEFAULT_LIMIT_GIGABYTES
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = -1.0
    if not gigabytes > 0:
        raise StoreError(f"{LIMIT_VARIABLE} is {given!r}; expected a number of gigabytes, such as 50.")
    return int(gigabytes * 1e9)


def evict(store: HasRoot, keep: Path) -> list[str]:
    """Removes what was used longest ago until the cache is within its limit; what a process has mapped stays readable.

    Arrays and frames of a notebook are never removed: nobody could make them anew.

    Args:
        store: Whose cache it is.
        keep: A folder that stays in any case, because it was just made.

    Returns:
        The names of the removed folders.
    """
    limit, found = limit_bytes(), []
    for place in (Path(store.root) / "cache").iterdir():
        if place.name.startswith(".") or not place.is_dir():
            continue
        with suppress(OSError):
            found.append((place.stat().st_mtime, place, _folder_bytes(place)))
    total, removed = sum(size for _, _, size in found), []
    for _, place, size in sorted(found, key=lambda entry: entry[0]):
        if total <= limit:
            break
        if place == keep or not _can_be_made_anew(place):
            continue
        with suppress(OSError):
            set_aside(place)
            total -= size
            removed.append(place.name)
    return removed


def _folder_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _can_be_made_anew(path: Path) -> bool:
    """Whether a folder holds prepared data, or what an archive or an address held."""
    if path.name.startswith(("unpacked-", "remote-", "named-")):
        return True
    meta = read_meta(path)
    return meta is not None and meta.get("kind") == "prepared"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save_rows(path: Path, source: np.ndarray, rows: np.ndarray) -> None:
    """Writes `source[rows]` as one .npy file, a part at a time, so that memory stays small."""
    row_bytes = max(1, source.dtype.itemsize * int(np.prod(source.shape[1:])))
    size = max(1, _CHUNK_BYTES // row_bytes)
    with ThreadPoolExecutor(1) as gathering:  # one part is gathered while the one before it is written
        chunks = _ahead(gathering, (rows[start : start + size] for start in range(0, len(rows), size)), source)
        save_chunks(path, source.dtype, (len(rows), *source.shape[1:]), chunks)


def _ahead(thread: Executor, parts: Iterator[np.ndarray], source: np.ndarray) -> Iterator[np.ndarray]:
    waiting: Future[np.ndarray] | None = None
    for part in parts:
        following = thread.submit(source.__getitem__, part)
        if waiting is not None:
            yield waiting.result()
        waiting = following
    if waiting is not None:
        yield waiting.result()


def save_chunks(path: Path, dtype: np.dtype, shape: tuple[int, ...], chunks: Iterable[np.ndarray]) -> None:
    """Writes one .npy file from parts that follow one another along the first axis.

    Plain writes, no mapping: on a full disk a write fails with a name, a mapped page kills the process.
    """
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as out:
        np.lib.format.write_array_header_1_0(out, header)
        for chunk in chunks:
            out.write(np.ascontiguousarray(chunk, dtype).data)


def reserve(handle: int, num_bytes: int) -> None:
    """Gives an open file its size with real space on disk, so that a mapping of it cannot run out of it later.

    Raises:
        OSError: When the disk has not so much room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, num_bytes)
        return
    zeros = bytes(min(num_bytes, _CHUNK_BYTES))
    for start in range(0, num_bytes, _CHUNK_BYTES):
        os.write(handle, zeros[: num_bytes - start])


def open_array(path: Path) -> np.ndarray:
    """A .npy file mapped into memory, read-only; an empty one is read at once, because it cannot be mapped."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        array = np.load(path, allow_pickle=False)
    return array
