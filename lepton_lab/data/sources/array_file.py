"""Arrays in files as a dataset: .npz with named arrays, .npy with its labels beside it, IDX files as MNIST has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lepton_lab.data import fingerprint
from lepton_lab.data.array_files import read_idx, read_npy, read_npz
from lepton_lab.data.arrays import guess_modality, to_pictures
from lepton_lab.data.labels import encode_labels
from lepton_lab.data.material import ImageMaterial, Material, Progress, SequenceMaterial
from lepton_lab.data.sources.base import Source, is_idx, path_name
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

_INPUTS = ("x", "inputs", "input", "images", "image", "data", "features", "series", "arr_0")
_LABELS = ("y", "labels", "label", "targets", "target", "classes", "arr_1")
_PARTS = {"train": "train", "training": "train", "tr": "train", "val": "validation", "valid": "validation"}
_PARTS |= {"validation": "validation", "dev": "validation", "test": "test", "te": "test", "t10k": "test"}
_IDX_NAME = re.compile(r"(?P<part>[A-Za-z0-9]+)[-_](?P<what>images|labels)[-_.]idx[13](-ubyte)?(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """Inputs and labels of "train", "validation", "test", or "" where there are no parts."""

    name: str
    inputs: np.ndarray
    labels: np.ndarray


def idx_files(folder: Path) -> list[Path]:
    """The IDX files in a folder, in a stable order."""
    return sorted(file for file in folder.iterdir() if file.is_file() and is_idx(file))


class ArrayFile(Source):
    """Arrays of one or more files."""

    uses = frozenset({"target", "time_split"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._path = path
        self._files = self._belonging()

    def _belonging(self) -> list[Path]:
        """The file, with its partners."""
        if self._path.is_dir():
            return idx_files(self._path)
        if is_idx(self._path):
            return [file for file in idx_files(self._path.parent) if _IDX_NAME.fullmatch(file.name)] or [self._path]
        if self._path.suffix.lower() == ".npy":
            names = [f"{word}.npy" for word in _LABELS] + [f"{self._path.stem}_{word}.npy" for word in _LABELS]
            beside = [self._path.with_name(name) for name in names]
            return [self._path, *(file for file in beside if file.is_file() and file != self._path)][:2]
        return [self._path]

    @property
    def name(self) -> str:
        return path_name(self._path if self._path.is_dir() or len(self._files) == 1 else self._path.parent)

    def identity(self, store: HasRoot) -> str:
        names = "/".join(file.name for file in self._files)
        return f"arrays/{names}/" + fingerprint.of_files(store, self._files[0].parent, self._files)

    def read(self, store: HasRoot, progress: Progress) -> Material:
        progress(f"Reading {self.title}", None)
        if self.spec.task == "forecasting":
            return self._series()
        parts = self._parts()
        for part in parts:
            where = f"{self.title}{f' ({part.name})' if part.name else ''}"
            if len(part.inputs) != len(part.labels):
                raise DataError(f"{where} has {len(part.inputs):,} rows and {len(part.labels):,} labels.")
            if not len(part.inputs) or part.inputs.shape[1:] != parts[0].inputs.shape[1:]:
                raise DataError(
                    f"{where} has inputs of shape {part.inputs.shape}; the first part's are {parts[0].inputs.shape}."
                )
        inputs = parts[0].inputs if len(parts) == 1 else np.concatenate([part.inputs for part in parts])
        labels = np.concatenate([_flat(part.labels) for part in parts])
        names = np.concatenate([np.full(len(part.labels), part.name, dtype="U16") for part in parts])
        return self._material(inputs, labels, names)

    def _material(self, inputs: np.ndarray, labels: np.ndarray, names: np.ndarray) -> Material:
        if inputs.dtype.kind not in "biuf" or not 2 <= inputs.ndim <= 4:
            raise DataError(
                f"{self.title} has inputs of shape {inputs.shape} and type {inputs.dtype}; expected numbers."
            )
        if inputs.dtype.kind == "f" and inputs.ndim > 2 and not np.isfinite(inputs).all():
            row = int(np.argwhere(~np.isfinite(inputs))[0][0])
            raise DataError(f"{self.title}, row {row}: the inputs hold NaN or infinity; every value must be finite.")
        kind = guess_modality(inputs)
        if kind == "table":
            return self._table(inputs, labels, names)
        classes, numbers = encode_labels(labels, f"The labels of {self.title}")
        official = {part: np.flatnonzero(names == part) for part in np.unique(names).tolist() if part}
        rows = np.arange(len(numbers))
        if kind == "sequence":
            return SequenceMaterial(classes, numbers, rows, official, sequences=inputs.astype(np.float32))
        pictures, pixels = to_pictures(inputs)
        return ImageMaterial(
            classes,
            numbers,
            rows,
            official,
            images=pictures,
            black=pixels["low"],
            white=pixels["high"],
            bounded=pixels["bounded"],
        )

    def _table(self, inputs: np.ndarray, labels: np.ndarray, names: np.ndarray) -> Material:
        import polars as pl

        from lepton_lab.data.tabular import material_from_table

        columns = {f"column_{place}": inputs[:, place] for place in range(inputs.shape[1])}
        frame = pl.DataFrame({**columns, "target": labels})
        parts = names.astype(object) if names.any() else None
        return material_from_table(frame, self.spec.changed(target="target"), self.title, parts=parts)

    def _series(self) -> Material:
        """The one array as a series to forecast."""
        from lepton_lab.data.series_material import frame_of_series, series_from_frame

        held = read_npz(self._path) if self._path.suffix.lower() == ".npz" else {"": read_npy(self._files[0])}
        if len(held) != 1:
            raise DataError(f"{self.title} holds the arrays {', '.join(held)}; expected one, the series to forecast.")
        return series_from_frame(frame_of_series(next(iter(held.values()))), self.spec, self.title)

    def _parts(self) -> list[_Part]:
        if self._path.is_dir() or is_idx(self._path):
            return self._idx_parts()
        if self._path.suffix.lower() == ".npy":
            return [self._npy_part()]
        return self._npz_parts()

    def _idx_parts(self) -> list[_Part]:
        found: dict[str, dict[str, Path]] = {}
        for file in self._files:
            match = _IDX_NAME.fullmatch(file.name)
            if match:
                found.setdefault(match["part"].lower(), {})[match["what"].lower()] = file
        pairs = {part: files for part, files in found.items() if len(files) == 2}
        if not pairs:
            raise DataError(
                f"{self.title} has no labels beside it; expected files such as train-images-idx3-ubyte.gz and "
                "train-labels-idx1-ubyte.gz in one folder."
            )
        named = len(pairs) > 1
        return [
            _Part(_PARTS.get(part, "train") if named else "", read_idx(files["images"]), read_idx(files["labels"]))
            for part, files in sorted(pairs.items(), key=lambda pair: _PARTS.get(pair[0], "train") != "train")
        ]

    def _npy_part(self) -> _Part:
        inputs = read_npy(self._files[0])
        if len(self._files) == 2:
            return _Part("", inputs, read_npy(self._files[1]))
        if inputs.ndim == 2 and inputs.shape[1] > 1:
            return _Part("", inputs[:, :-1], inputs[:, -1])
        raise DataError(f"{self.title} has no labels; expected labels.npy or y.npy beside it.")

    def _npz_parts(self) -> list[_Part]:
        arrays = read_npz(self._path)
        pairs: dict[str, dict[str, np.ndarray]] = {}
        for name, array in arrays.items():
            words = [word for word in re.split(r"[^A-Za-z0-9]+|(?<=[xy])(?=train|test|val)", name.lower()) if word]
            part = next((_PARTS[word] for word in words if word in _PARTS), "")
            rest = "_".join(word for word in words if word not in _PARTS)
            what = "labels" if name == self.spec.target or rest in _LABELS else "inputs" if rest in _INPUTS else name
            pairs.setdefault(part, {})[what] = array
        whole = {part: pair for part, pair in pairs.items() if {"inputs", "labels"} <= set(pair)}
        if not whole:
            raise DataError(
                f"{self.title} holds the arrays {', '.join(arrays) or '(none)'}; expected inputs and labels, such as x "
                "and y, or x_train, y_train, x_test and y_test. target names the labels."
            )
        order = [part for part in ("train", "", "validation", "test") if part in whole]
        only = len(order) == 1
        return [_Part("" if only else part or "train", whole[part]["inputs"], whole[part]["labels"]) for part in order]


def _flat(labels: np.ndarray) -> np.ndarray:
    """Labels (N,); a column (N, 1) is one, and rows with a single 1 among zeros are classes."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        return np.asarray(labels[:, 0])
    one_hot = labels.ndim == 2 and labels.dtype.kind in "biuf" and bool(((labels == 0) | (labels == 1)).all())
    if one_hot and bool((labels.sum(axis=1) == 1).all()):
        return np.asarray(labels.argmax(axis=1))
    return np.asarray(labels)
