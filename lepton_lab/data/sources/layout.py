"""How the makers of a set lay out its folder: what wraps the class folders, and lists that name the parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lepton_lab.errors import DataError

PART_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}
"""Files that name the rows of a part, a path in a line, as Speech Commands has them; all others are for training."""


def part_lists(files: Sequence[Path]) -> list[Path]:
    """The lists of parts among the files of a folder: those with the shortest way to them."""
    found = sorted((file for file in files if file.name in PART_LISTS), key=lambda file: len(file.parts))
    return [file for file in found if file.parent == found[0].parent]


def listed_parts(lists: Sequence[Path], files: Sequence[Path]) -> dict[Path, str]:
    """The part of each file; what no list names is for training.

    Args:
        lists: From `part_lists`.
        files: The files of the set.

    Raises:
        DataError: When a list cannot be read, or names a file that is not there or that another list names.
    """
    parts = dict.fromkeys(files, "train")
    for path in lists:
        try:
            names = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{str(path)!r} cannot be read as a list of files ({error}).") from None
        for number, name in enumerate(names, 1):
            file = path.parent / name
            if file not in parts:
                raise DataError(f"{str(path)!r}, line {number:,}: there is no file {name!r} in {str(path.parent)!r}.")
            if parts[file] not in ("train", PART_LISTS[path.name]):
                raise DataError(f"{str(path)!r}, line {number:,}: {name!r} is in the {parts[file]} part already.")
            parts[file] = PART_LISTS[path.name]
    return parts


def wrapping(root: Path, files: list[Path]) -> Path:
    """The folder that the class folders lie in: often a folder holds one folder with everything, and a README."""
    while True:
        depth = len(root.parts)
        inside = {file.parts[depth : depth + 1] for file in files}
        if len(inside) != 1 or any(len(file.parts) < depth + 3 for file in files):
            return root
        root = root / next(iter(inside))[0]
