"""What lies in a folder, looked at once and fast: names, sizes and times of all files, without opening any.

A folder of 20,000 files takes less than a tenth of a second, so that the second use of a prepared set can be sure that
nothing changed without anybody waiting for it.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_THREADS = 4


@dataclass
class Scan:
    """The files below a folder, without hidden ones; links to folders are not followed, they could form a ring.

    Attributes:
        root: The folder.
        names: Paths of the files in it, with "/" between their parts.
        marks: Size, time of writing, time of change and inode of each file in turn.
    """

    root: Path
    names: list[str] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)

    @cached_property
    def suffixes(self) -> Counter[str]:
        """How many files have each ending, in small letters with the dot; "" where there is none."""
        found: Counter[str] = Counter()
        for ending, count in Counter([name[name.rfind(".") :] for name in self.names]).items():
            # Without a dot in the name itself, the ending is its last letter, or goes on into another folder.
            found[ending.lower() if ending.startswith(".") and "/" not in ending else ""] += count
        return found

    @cached_property
    def digest(self) -> str:
        """Changes when a file comes, goes, or is written to."""
        text = "\0".join(self.names).encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(text, digest_size=32)
        digest.update(b"\0\0" + array("q", self.marks).tobytes())
        return digest.hexdigest()

    @property
    def newest(self) -> int:
        """The latest time at which a file was written to or changed, in nanoseconds."""
        return max((max(self.marks[place + 1 : place + 3]) for place in range(0, len(self.marks), 4)), default=0)


def scan_folder(root: Path) -> Scan:
    """Looks at all files below a folder.

    Raises:
        OSError: When a folder cannot be read.
    """
    scan, todo = Scan(root), [(str(root), "")]
    with ThreadPoolExecutor(_THREADS) as threads:  # looking at a file waits for the system, not for Python
        while todo:
            found = list(threads.map(_look, todo))
            todo = []
            for names, marks, below in found:
                scan.names += names
                scan.marks += marks
                todo += below
    return scan


def _look(place: tuple[str, str]) -> tuple[list[str], list[int], list[tuple[str, str]]]:
    path, prefix = place
    names: list[str] = []
    marks: list[int] = []
    below: list[tuple[str, str]] = []
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append((entry.path, f"{prefix}{name}/"))
                continue
            try:
                state = entry.stat()
            except OSError:  # a link to nowhere
                continue
            names.append(prefix + name)
            marks += (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    return names, marks, below
