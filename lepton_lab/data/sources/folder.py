"""A folder with a folder per class of PNG, JPEG, WebP or BMP pictures.

Where the outermost folders are called train, validation (val, valid) and test, these parts are kept. Every picture is
decoded or the load fails and names the files that could not be: nothing is left out in silence.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.data import fingerprint, pictures
from lepton_lab.data.labels import check_class_count
from lepton_lab.data.material import ImageMaterial, Material, Progress, Remark
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.storage import HasRoot, make_cache, reserve
from lepton_lab.errors import DataError, StoreError
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    from PIL.Image import Image

DEFAULT_SIDE = 64
"""Larger pictures are brought to this size unless `image_size` says otherwise: a network learns on it in minutes."""

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class _Picture:
    path: Path
    label: str
    part: str | None


@dataclass(frozen=True)
class _Format:
    channels: int
    height: int
    width: int


class PictureFolder(Source):
    """Pictures whose class is the name of the folder that they lie in."""

    uses = frozenset({"image_size"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._root = path

    @property
    def name(self) -> str:
        return path_name(self._root)

    def identity(self, store: HasRoot) -> str:
        # Names matter as much as content: they are the labels.
        return "folder/" + fingerprint.of_files(store, self._root, [found.path for found in self._pictures()])

    def _pictures(self) -> list[_Picture]:
        try:
            found = list(_listed(self._root))
        except OSError as error:
            raise DataError(f"{str(self._root)!r} cannot be read: {error.strerror}.") from None
        if not found:
            raise DataError(
                f"{str(self._root)!r} has no pictures; expected a folder per class with "
                f"{', '.join(sorted(pictures.SUFFIXES))} files in it."
            )
        return found

    def read(self, store: HasRoot, progress: Progress) -> Material:
        found = self._pictures()
        classes = sorted({picture.label for picture in found}, key=_natural)
        check_class_count(len(classes), len(found), f"The folder {str(self._root)!r}")
        shape, remarks = self._choose_format(found, progress)
        images = self._decode(found, shape, store, progress)
        number = {label: index for index, label in enumerate(classes)}
        parts = np.array([picture.part or "" for picture in found])
        return ImageMaterial(
            classes=classes,
            labels=np.array([number[picture.label] for picture in found], dtype=np.int64),
            row_ids=np.arange(len(found)),
            official={part: np.flatnonzero(parts == part) for part in np.unique(parts).tolist() if part},
            remarks=[*remarks, *self._left_out(found)],
            images=images,
        )

    def _left_out(self, found: list[_Picture]) -> list[Remark]:
        """Files that are no pictures, and pictures that lie in no class folder: said, never dropped in silence."""
        used = {picture.path for picture in found}
        others = [file for file in _files(self._root) if file not in used]
        pictured = [file for file in others if file.suffix.lower() in pictures.SUFFIXES]
        plain = [file for file in others if file.suffix.lower() not in pictures.SUFFIXES]
        remarks = []
        if pictured:
            message = f"{len(pictured):,} pictures lie in no class folder and were left out: {self._names(pictured)}."
            remarks.append(Remark("pictures_left_out", "warning", message))
        if plain:
            message = f"{len(plain):,} files are no pictures by their name and were left out: {self._names(plain)}."
            remarks.append(Remark("files_left_out", "note", message))
        return remarks

    def _names(self, files: list[Path]) -> str:
        names = ", ".join(repr(file.relative_to(self._root).as_posix()) for file in files[:3])
        return names + (" and others" if len(files) > 3 else "")

    def _choose_format(self, found: list[_Picture], progress: Progress) -> tuple[_Format, list[Remark]]:
        """Channels and size of all pictures, from the files' headers."""
        sizes, grey = set(), True
        for number, picture in enumerate(found):
            header = self._header(picture)
            sizes.add((header.height, header.width))
            grey = grey and pictures.is_grey(header)
            if number % 200 == 0:
                progress("Looking at the pictures", number / len(found))
        channels = 1 if grey else 3
        if self.spec.image_size:
            return _Format(channels, self.spec.image_size, self.spec.image_size), []
        shorter = int(np.median([min(size) for size in sizes]))
        if len(sizes) == 1 and max(next(iter(sizes))) <= DEFAULT_SIDE:
            height, width = next(iter(sizes))
            return _Format(channels, max(height, 8), max(width, 8)), []
        side = int(np.clip(shorter, 8, DEFAULT_SIDE))
        smallest, largest = min(sizes), max(sizes)
        was = f"{largest[1]}x{largest[0]}"
        if len(sizes) > 1:
            was = f"{smallest[1]}x{smallest[0]} to {was}"
        message = f"The pictures ({was} pixels) are brought to {side}x{side}; image_size sets another side."
        return _Format(channels, side, side), [Remark("resized", "note", message)]

    def _header(self, picture: _Picture) -> Image:
        try:
            return pictures.open_picture(picture.path.read_bytes())
        except (DataError, OSError) as error:
            raise self._broken([(picture.path, str(error))]) from None

    def _decode(self, found: list[_Picture], shape: _Format, store: HasRoot, progress: Progress) -> np.ndarray:
        """All pictures as uint8 (N, C, H, W), in a file without a name, so that memory stays free."""
        size = (len(found), shape.channels, shape.height, shape.width)
        try:
            with tempfile.TemporaryFile(dir=make_cache(store)) as unnamed:
                reserve(unnamed.fileno(), int(np.prod(size)))
                images = np.memmap(unnamed, dtype=np.uint8, mode="r+", shape=size)
        except OSError as error:
            raise StoreError(f"There is no room for {len(found):,} decoded pictures: {error.strerror}.") from error
        broken: list[tuple[Path, str]] = []

        def decode(number: int) -> None:
            path = found[number].path
            try:
                images[number] = pictures.decode_picture(
                    path.read_bytes(), channels=shape.channels, height=shape.height, width=shape.width
                )
            except (DataError, OSError) as error:
                broken.append((path, str(error)))

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as workers:
            for number, _ in enumerate(workers.map(decode, range(len(found)))):
                if number % 50 == 0:
                    progress("Decoding pictures", number / len(found))
        if broken:
            raise self._broken(sorted(broken))
        return images

    def _broken(self, broken: list[tuple[Path, str]]) -> DataError:
        path, reason = broken[0]
        more = f" {len(broken) - 1:,} more pictures are broken." if len(broken) > 1 else ""
        name = path.relative_to(self._root).as_posix()
        return DataError(f"{name!r} in {str(self._root)!r}: {reason.rstrip('.')}. Replace or remove it.{more}")


def _listed(root: Path) -> Iterator[_Picture]:
    """The pictures of all class folders, in a stable order."""
    tops = _folders(root)
    names = {top.name.lower() for top in tops}
    has_parts = bool(names) and names <= set(_PARTS) and bool(names & {"train", "training"})
    for top in tops:
        part = _PARTS[top.name.lower()] if has_parts else None
        for class_folder in _folders(top) if has_parts else [top]:
            for file in _files(class_folder):
                if file.suffix.lower() in pictures.SUFFIXES:
                    yield _Picture(file, class_folder.name, part)


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(path: Path) -> list[Path]:
    """All files below a folder, without hidden ones; links to folders are not followed, they could form a ring."""
    found: list[Path] = []
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(Path(place, name) for name in sorted(files) if not name.startswith("."))
    return [file for file in found if file.is_file()]


def _natural(label: str) -> tuple[int, int, str]:
    """Whole numbers in numeric order, before texts."""
    return (0, int(label), label) if label.isascii() and label.isdigit() else (1, 0, label)
