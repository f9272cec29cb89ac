"""Files in parts of bounded size, each with its hash: put on shared storage, and fetched by several threads.

What was cut short goes on: parts that are there already, in the storage or in the folder, are not sent again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from lepton_lab.errors import RunError
from lepton_lab.runs.shared import SharedStorage

PART_BYTES = 64 * 2**20
GROWING_PART_BYTES = 2**20
"""Of a file that grows at its end: what has not changed of it is not sent again."""
NUM_THREADS = 4
MANIFEST = "parts.json"
"""Written last, because object stores cannot put a folder in place at once."""
_FORMAT = 1
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """Some bytes of a file.

    Attributes:
        file: The file's name.
        start: Where they begin in it.
        bytes: How many they are.
        sha256: Their hash, in hexadecimal digits; their name on the storage.
    """

    file: str
    start: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a folder and their parts.

    Attributes:
        sizes: Each file's size in bytes.
        parts: All parts.
    """

    sizes: dict[str, int]
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, files: Mapping[str, Path], part_bytes: int = PART_BYTES) -> Manifest:
        """That of some files, by the names that they shall have.

        Raises:
            OSError: One of them cannot be read.
        """
        sizes = {name: path.stat().st_size for name, path in files.items()}
        cuts = [
            (name, start, min(length, size - start))
            for name, size in sizes.items()
            for length in [GROWING_PART_BYTES if name.endswith(".jsonl") else part_bytes]
            for start in range(0, size, length)
        ]
        with ThreadPoolExecutor(NUM_THREADS) as pool:
            hashes = pool.map(lambda cut: _sha256(read_part(files[cut[0]], *cut[1:])), cuts)
            return cls(sizes, tuple(Part(*cut, digest) for cut, digest in zip(cuts, hashes, strict=True)))

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """What `encode` wrote.

        Raises:
            RunError: It is something else.
        """
        try:
            values = json.loads(content)
            sizes = {_inside(name): int(size) for name, size in values["sizes"].items()}
            parts = tuple(Part(str(file), int(at), int(num), str(sha)) for file, at, num, sha in values["parts"])
            if values["format"] != _FORMAT or not {part.file for part in parts} <= set(sizes):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RunError(
                "What lies on the shared storage was written by another version, or is damaged; remove it there."
            ) from None
        return cls(sizes, parts)

    def encode(self) -> bytes:
        """As JSON."""
        rows: list[Any] = [[part.file, part.start, part.bytes, part.sha256] for part in self.parts]
        return json.dumps({"format": _FORMAT, "sizes": self.sizes, "parts": rows}).encode()

    def only(self, names: Collection[str]) -> Manifest:
        """That of some of the files."""
        sizes = {name: size for name, size in self.sizes.items() if name in names}
        return Manifest(sizes, tuple(part for part in self.parts if part.file in sizes))


def send(storage: SharedStorage, below: str, files: Mapping[str, Path], manifest: Manifest) -> int:
    """Puts the parts of files on the storage, unless they are there; returns the bytes that were sent.

    Args:
        storage: Where to.
        below: The parts' names begin with it.
        files: As for `Manifest.of`.
        manifest: What that gave.

    Raises:
        RunError: The storage does not take them, or a file has changed since.
    """
    there = storage.sizes(below)
    missing = {part.sha256: part for part in manifest.parts if there.get(part.sha256) != part.bytes}

    def put(part: Part) -> None:
        try:
            content = read_part(files[part.file], part.start, part.bytes)
        except OSError as error:
            raise RunError(f"{part.file} cannot be read any more ({error.strerror}).") from None
        if _sha256(content) != part.sha256:
            raise RunError(f"{part.file} has changed while it was sent.")
        storage.put(f"{below}/{part.sha256}", content)

    _side_by_side(put, missing.values())
    return sum(part.bytes for part in missing.values())


def fetch(manifest: Manifest, folder: Path, get: Callable[[Part], bytes | None]) -> int:
    """Makes the files of a manifest in a folder; parts that are in it are left as they are.

    Args:
        manifest: What is wanted.
        folder: Where; another fetch may have been at work there before, and none may be now.
        get: Gives a part's bytes, in several threads; None where there are none.

    Returns:
        The bytes that were fetched.

    Raises:
        RunError: A part is missing or damaged, or the disk does not take it.
    """
    known: set[str] = set()
    try:
        for name, size in manifest.sizes.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.exists():
                known.add(name)
            with open(path, "ab") as file:
                file.truncate(size)
    except OSError as error:
        raise RunError(f"{folder.name} cannot be made on this host ({error.strerror}).") from None

    def bring(part: Part) -> int:
        path = folder / part.file
        if part.file in known and _sha256(read_part(path, part.start, part.bytes)) == part.sha256:
            return 0
        content = get(part)
        if content is None or len(content) != part.bytes or _sha256(content) != part.sha256:
            how = "is missing" if content is None else "is damaged"
            raise RunError(f"A part of {part.file} {how} where it was fetched from; have it put there again.")
        try:
            _write_part(path, part.start, content)
        except OSError as error:
            raise RunError(f"{part.file} cannot be written on this host ({error.strerror}).") from None
        return part.bytes

    return sum(_side_by_side(bring, manifest.parts))


def read_part(path: Path, start: int, num_bytes: int) -> bytes:
    """Some bytes of a file.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(num_bytes)


def _write_part(path: Path, start: int, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(content)


def _side_by_side(do: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Does it for all parts in a few threads; after an error no further part is begun."""
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        tasks = [pool.submit(do, part) for part in parts]
        try:
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _inside(name: object) -> str:
    """A name that stays in its folder.

    Raises:
        ValueError: It does not.
    """
    path = PurePosixPath(str(name))
    if path.is_absolute() or ".." in path.parts or not path.parts or os.sep in str(name).replace("/", ""):
        raise ValueError(name)
    return str(path)
