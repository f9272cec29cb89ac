"""A folder of PNG, JPEG, WebP or BMP pictures with a label each: a folder per class, or by file names or a table.

Where the outermost folders are called train, validation (val, valid) and test, these parts are kept. Every picture is
decoded or the load fails and names the files that could not be: nothing is left out in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lepton_lab.data import pictures
from lepton_lab.data.filling import Job, Layout, fill_arrays
from lepton_lab.data.material import ImageMaterial, Material, Progress, Remark
from lepton_lab.data.sources.labelled_files import broken_files
from lepton_lab.data.sources.labelled_folder import LabelledFolder
from lepton_lab.data.storage import HasRoot

DEFAULT_SIDE = 64
"""Larger pictures are brought to this size unless `image_size` says otherwise: a network learns on it in minutes."""


@dataclass(frozen=True)
class _Format:
    channels: int
    height: int
    width: int
    fit: str

    def of(self, count: int) -> Layout:
        """The array of so many pictures."""
        return Layout("|u1", (count, self.channels, self.height, self.width))


class PictureFolder(LabelledFolder):
    """Pictures whose class is the name of the folder that they lie in, a field of their name, or a cell of a table."""

    uses = frozenset({"image_size", "image_fit", "pattern", "label_table", "test_where", "roles"})
    kind, suffixes, noun = "folder", pictures.SUFFIXES, "pictures"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        listing = self._listed()
        classes, labels = listing.classes()
        groups = listing.groups(self.spec.role_by_column())
        files = [file.path for file in listing.files]
        fit = "crop" if self.spec.image_fit == "auto" else self.spec.image_fit
        remarks: list[Remark] = []
        if self.spec.image_size:
            images = self._decode_as_asked(files, self.spec.image_size, fit, store, progress)
        else:
            shape, remarks = self._choose_format(files, fit, store, progress)
            (images,) = self._fill("pictures", shape, files, [shape.of(len(files))], store, progress)
        return ImageMaterial(
            classes=classes,
            labels=labels,
            row_ids=np.arange(len(files)),
            official=listing.official(),
            remarks=[*listing.remarks, *remarks],
            groups=groups,
            images=images,
            fit_mode=fit,
        )

    def _fill(
        self, kind: str, shape: _Format | None, files: list[Path], layouts: list[Layout], store: HasRoot, told: Progress
    ) -> list[np.ndarray]:
        """A row for each file, or the error that names the files that cannot be read."""
        what = "Looking at the pictures" if shape is None else "Decoding pictures"
        job = Job(kind, {} if shape is None else vars(shape), files, layouts)
        rows, broken = fill_arrays(job, store, told, what)
        if broken:
            raise broken_files(self._root, broken, "pictures")
        return rows

    def _decode_as_asked(
        self, files: list[Path], side: int, fit: str, store: HasRoot, progress: Progress
    ) -> np.ndarray:
        """The size is known, so one pass does: in colour, of which the first channel is enough where all are grey."""
        shape = _Format(3, side, side, fit)
        layouts = [shape.of(len(files)), Layout("|u1", (len(files), 1))]
        images, grey = self._fill("pictures", shape, files, layouts, store, progress)
        return images[:, :1] if grey.all() else images

    def _choose_format(
        self, files: list[Path], fit: str, store: HasRoot, progress: Progress
    ) -> tuple[_Format, list[Remark]]:
        """Channels and size of all pictures, from the files' headers."""
        (headers,) = self._fill("headers", None, files, [Layout("<i4", (len(files), 3))], store, progress)
        sizes, grey = np.unique(headers[:, :2], axis=0), bool(headers[:, 2].all())
        channels = 1 if grey else 3
        if len(sizes) == 1 and sizes.max() <= DEFAULT_SIDE:
            width, height = sizes[0].tolist()
            return _Format(channels, max(height, 8), max(width, 8), fit), []
        side = int(np.clip(int(np.median(sizes.min(axis=1))), 8, DEFAULT_SIDE))
        smallest, largest = ("x".join(map(str, sizes[place].tolist())) for place in (0, -1))
        was = largest if len(sizes) == 1 else f"{smallest} to {largest}"
        message = f"The pictures ({was} pixels) are brought to {side}x{side}; image_size sets another side."
        return _Format(channels, side, side, fit), [Remark("resized", "note", message)]
