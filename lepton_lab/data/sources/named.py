"""Public datasets by name: their files brought here and verified, then read in the form that they have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lepton_lab.data.archives import is_archive, unpack
from lepton_lab.data.array_files import read_idx
from lepton_lab.data.download import obtain
from lepton_lab.data.material import ImageMaterial, Material, Progress, Remark
from lepton_lab.data.registry import DatasetInfo
from lepton_lab.data.sources.base import Source
from lepton_lab.data.sources.stages import stage_adult, stage_ag_news
from lepton_lab.data.storage import HasRoot
from lepton_lab.data.trees import keep_tree
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

_CIFAR_ROW = 1 + 3 * 32 * 32

Stage = Callable[[DatasetInfo, dict[str, Path], Path], None]
"""Writes a dataset's files into a folder as `load` reads them."""


class Named(Source):
    """A public dataset.

    Args:
        spec: What was asked.
        info: The dataset's entry.
    """

    def __init__(self, spec: DataSpec, info: DatasetInfo) -> None:
        super().__init__(spec, info.title)
        self._info = info

    def identity(self, store: HasRoot) -> str:
        # Files whose hash nobody states are held to the one that came first: the name is enough.
        return f"named/{self._info.name}/" + "/".join(file.sha256 or file.name for file in self._info.files)

    def _obtain(self, store: HasRoot, progress: Progress, remarks: list[Remark]) -> dict[str, Path]:
        return obtain(self._info, store, self.spec.mirror, progress, remarks)


class IdxPictures(Named):
    """Pictures in the IDX form of MNIST; the official test part is kept."""

    uses = frozenset({"mirror"})

    def read(self, store: HasRoot, progress: Progress) -> Material:
        remarks: list[Remark] = []
        files = self._obtain(store, progress, remarks)
        progress(f"Reading {self.title}", None)
        images = [read_idx(files[f"{part}-images-idx3-ubyte.gz"]) for part in ("train", "t10k")]
        labels = [read_idx(files[f"{part}-labels-idx1-ubyte.gz"]) for part in ("train", "t10k")]
        return _pictures(self._info, np.concatenate(images)[:, None], labels, remarks)


class CifarPictures(Named):
    """The binary form of CIFAR-10: a label and 3 planes of 32x32 bytes per row; the official test part is kept."""

    uses = frozenset({"mirror"})

    def read(self, store: HasRoot, progress: Progress) -> Material:
        remarks: list[Remark] = []
        files = self._obtain(store, progress, remarks)
        place = keep_tree(store, f"named-{self._info.name}", lambda folder: _unpack_all(files, folder, progress))
        found = sorted(place.rglob("*_batch*.bin"), key=lambda path: (path.name.startswith("test"), path.name))
        batches = [np.frombuffer(path.read_bytes(), np.uint8) for path in found]
        if len(batches) < 2 or any(not len(batch) or len(batch) % _CIFAR_ROW for batch in batches):
            raise DataError(f"{self.title}: the archive does not hold its batches of pictures; get it again.")
        rows = [batch.reshape(-1, _CIFAR_ROW) for batch in batches]
        images = np.concatenate([part[:, 1:] for part in rows]).reshape(-1, 3, 32, 32)
        labels = [np.concatenate([part[:, 0] for part in rows[:-1]]), rows[-1][:, 0]]
        return _pictures(self._info, images, labels, remarks)


def _pictures(info: DatasetInfo, images: np.ndarray, labels: list[np.ndarray], remarks: list[Remark]) -> ImageMaterial:
    """Pictures of a training and a test part."""
    num_train, num_test = len(labels[0]), len(labels[1])
    numbers = np.concatenate(labels).astype(np.int64)
    if len(images) != len(numbers) or (len(numbers) and numbers.max() >= len(info.classes)):
        raise DataError(f"{info.title}: its pictures and labels do not fit together; get it again.")
    return ImageMaterial(
        classes=list(info.classes),
        labels=numbers,
        row_ids=np.concatenate([np.arange(num_train), np.arange(num_test)]),
        official={"train": np.arange(num_train), "test": np.arange(num_train, num_train + num_test)},
        remarks=remarks,
        images=images,
    )


class NamedFiles(Named):
    """A dataset whose files are read as a person's own would be, once they are here."""

    uses = frozenset(DataSpec.model_fields)
    stage: Stage | None = None

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.loading import refuse_meaningless
        from lepton_lab.data.sources.find import find_source

        remarks: list[Remark] = []
        files = self._obtain(store, progress, remarks)
        root = keep_tree(store, f"named-{self._info.name}", lambda folder: self._fill(files, folder, progress))
        fitting = {key: value for key, value in self._info.options.items() if key not in self.spec.given()}
        spec = self.spec.changed(name=str(root / self._info.inside), mirror=None, **fitting)
        try:
            source = find_source(spec, store)
            refuse_meaningless(source)
            material = source.read(store, progress)
        except DataError as error:
            raise DataError(f"{self.title}: {str(error).replace(str(root), self._info.name)}") from None
        material.remarks += remarks
        return material

    def _fill(self, files: dict[str, Path], folder: Path, progress: Progress) -> None:
        stage = type(self).stage
        if stage is not None:
            stage(self._info, files, folder)
        else:
            _unpack_all(files, folder, progress)
        for name in self._info.leave_out:
            shutil.rmtree(folder / name, ignore_errors=True)


def _unpack_all(files: dict[str, Path], folder: Path, progress: Progress) -> None:
    """Archives unpacked, other files as they are."""
    for name, path in files.items():
        if is_archive(path):
            unpack(path, folder, lambda share, name=name: progress(f"Unpacking {name}", share))  # type: ignore[misc]
        else:
            shutil.copyfile(path, folder / name)
            os.chmod(folder / name, 0o600)


class Adult(NamedFiles):
    """Two files without a header; the rows of one end in full stops."""

    stage = staticmethod(stage_adult)


class AgNews(NamedFiles):
    """Two files without a header; topics by number."""

    stage = staticmethod(stage_ag_news)


FORMS: dict[str, type[Named]] = {
    "tree": NamedFiles,
    "idx": IdxPictures,
    "cifar": CifarPictures,
    "adult": Adult,
    "ag-news": AgNews,
}
"""How the files of a dataset are laid out, by the name in its entry."""
