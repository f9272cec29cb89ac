"""Data that lives in a notebook: put into the cache under its fingerprint, so that any process can load it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data import fingerprint, storage
from lepton_lab.data.foreign import is_frame, texts_frame, unpack
from lepton_lab.data.labels import encode_labels, number_labels
from lepton_lab.data.preparation import shape_text
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec

MODALITIES = ("image", "sequence", "table")


def from_arrays(
    inputs: Any,
    labels: Any = None,
    *,
    classes: Sequence[str] | None = None,
    store: storage.HasRoot | None = None,
    modality: str | None = None,
    **options: Any,
) -> DataSpec:
    """Keeps arrays or a data frame in the cache and returns the spec that loads them.

    Args:
        inputs: Pictures (N, H, W), (N, C, H, W) or (N, H, W, C), sequences (N, T, F), a table of numbers (N, F), as
            NumPy arrays or torch tensors; texts; a pandas or polars frame; a dict of columns; whatever speaks the Arrow
            PyCapsule interface (pyarrow, ...); a `datasets.Dataset`; a `torch.utils.data.Dataset`.
        labels: One label per row, or None for a frame that holds its target column (option `target`).
        classes: Names of the classes, where labels are positions in that list; default: the labels themselves.
        store: Where data is kept; default: the user's store.
        modality: "image", "sequence" or "table"; default: told from the shape.
        options: Fields of `DataSpec`; `name` is what runs will be called by.

    Returns:
        A `DataSpec` with the content's fingerprint. The same content gives the same fingerprint.

    Raises:
        DataError: Says which shape or label is wrong.
        SpecError: When an option is not valid.
    """
    store = store or storage.default_store()
    if modality is not None and modality not in MODALITIES:
        raise SpecError(f"modality is {modality!r}; expected one of {', '.join(MODALITIES)}.")
    if (found := unpack(inputs, options.get("target"))) is not None:
        inputs, classes = found.inputs, classes or found.classes
        labels = found.labels if labels is None else labels
        if found.target is not None:
            options = {"target": found.target, **options}
        if found.roles and options.get("roles") is None:
            options["roles"] = found.roles
    if _are_texts(inputs):
        inputs, options = texts_frame(inputs), {"roles": {"text": "text"}, **options}
    if is_frame(inputs):
        from lepton_lab.data.frames import keep_frame

        return keep_frame(inputs, labels, classes, store, {"name": "frame", **options})
    spec = DataSpec.parse({"name": "arrays", **options})
    array = _as_array(inputs)
    if labels is None:
        raise DataError("The labels are missing; give one label per row as the second argument.")
    kind = modality or guess_modality(array)
    if kind == "table":
        from lepton_lab.data.frames import keep_frame, numbered_frame

        return keep_frame(numbered_frame(array), labels, classes, store, {"name": "arrays", **options})
    return spec.changed(fingerprint=_keep(array, labels, classes, kind, spec.task, store))


def _are_texts(inputs: Any) -> bool:
    if isinstance(inputs, np.ndarray):
        return inputs.ndim == 1 and inputs.dtype.kind == "U"
    return isinstance(inputs, list | tuple) and bool(inputs) and all(isinstance(item, str) for item in inputs)


def _as_array(inputs: Any) -> np.ndarray:
    if hasattr(inputs, "detach"):
        # A torch tensor: it may sit on a device and carry a gradient.
        inputs = inputs.detach().cpu().numpy()
    try:
        array = np.asarray(inputs)
    except ValueError:
        raise DataError("The rows of the inputs have different shapes; all must be alike.") from None
    if array.dtype.kind not in "biuf" or array.ndim < 2:
        raise DataError(
            f"The inputs have shape {shape_text(array.shape)} and type {array.dtype}; expected numbers: pictures "
            "(N, H, W) or (N, C, H, W), sequences (N, T, F) or a table (N, F)."
        )
    if array.ndim > 4 or not array.size:
        raise DataError(f"The inputs have shape {shape_text(array.shape)}; expected 2 to 4 dimensions, none empty.")
    if array.dtype.kind == "f" and array.ndim > 2 and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"Row {row} of the inputs holds NaN or infinity; every value must be a finite number.")
    return array


def guess_modality(array: np.ndarray) -> str:
    """What an array of numbers holds: two dimensions a table, four pictures, three pictures or sequences.

    Three dimensions are pictures when the values are whole numbers from 0 to 255, or decimals from 0 to 1 in
    square pictures; else they are sequences.
    """
    if array.ndim != 3:
        return "table" if array.ndim == 2 else "image"
    low, high = float(array.min()), float(array.max())
    whole = array.dtype.kind in "biu" or bool((array == np.rint(array)).all())
    pixels = whole and low >= 0 and high <= 255
    shares = low >= 0 and high <= 1 and array.shape[1] == array.shape[2]
    return "image" if pixels or shares else "sequence"


def _keep(
    array: np.ndarray, labels: Any, classes: Sequence[str] | None, kind: str, task: str, store: storage.HasRoot
) -> str:
    """Writes pictures or sequences with their labels into the cache; returns the fingerprint."""
    task = task if task != "auto" else ("classification" if classes is not None else _told(labels))
    names, numbers = _labelled(labels, classes, task, len(array))
    described: dict[str, Any] = {"kind": "source", "modality": kind, "classes": names, "task": task}
    if kind == "image":
        array, described["pixels"] = to_pictures(array)
    else:
        if array.ndim != 3:
            raise DataError(f"Sequences have shape (N, steps, features); the inputs are {shape_text(array.shape)}.")
        array = array.astype(np.float32)
    name = fingerprint.of_arrays((array, numbers), described)
    if storage.read_meta(storage.folder(store, name)) is None:
        with storage.build(store, name) as (path, meta):
            meta.update(described)
            _save(path, array, numbers)
    return name


def _save(path: Path, array: np.ndarray, numbers: np.ndarray) -> None:
    np.save(path / "inputs.npy", np.ascontiguousarray(array))
    np.save(path / "labels.npy", numbers)


def _told(labels: Any) -> str:
    """The task that labels of arrays pose: decimal numbers regression, several marks a row multi-label."""
    values = _plain_labels(labels)
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "biuf" and values.size:
        is_one_hot = bool(np.isin(values, (0, 1)).all()) and bool((values.sum(axis=1) == 1).all())
        if not is_one_hot:
            return "multilabel" if bool(np.isin(values, (0, 1)).all()) else "regression"
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values != np.rint(values)).any():
        return "regression"
    return "classification"


def _plain_labels(labels: Any) -> np.ndarray:
    return np.asarray(labels.detach().cpu().numpy() if hasattr(labels, "detach") else labels)


def _labelled(labels: Any, classes: Sequence[str] | None, task: str, num_rows: int) -> tuple[list[str], np.ndarray]:
    """Names and labels as the task has them.

    Raises:
        DataError: When there is not one row of labels per row, or a label does not fit the task.
        SpecError: When the task is none of labelled arrays.
    """
    if task == "classification":
        return name_labels(labels, classes, num_rows)
    if task not in ("regression", "multilabel"):
        raise SpecError(f"data: task is {task!r}; arrays with labels are classification, multilabel or regression.")
    values = _plain_labels(labels)
    if len(values) != num_rows or values.dtype.kind not in "biuf" or values.ndim > 2:
        raise DataError(
            f"The labels have shape {shape_text(values.shape)} and type {values.dtype}; expected numbers (N,) or "
            f"(N, K) with N = {num_rows:,}."
        )
    values = values.reshape(num_rows, -1).astype(np.float32 if task == "multilabel" else np.float64)
    if not np.isfinite(values).all() or (task == "multilabel" and not np.isin(values, (0, 1)).all()):
        raise DataError(f"The labels hold values that {task} has no use for; expected {_EXPECTED[task]}.")
    names = [str(name) for name in classes] if classes is not None else _numbered(values.shape[1])
    if len(names) != values.shape[1]:
        raise DataError(f"There are {len(names)} names and {values.shape[1]} columns of labels; every column has one.")
    return names, values


_EXPECTED = {"regression": "finite numbers", "multilabel": "0 and 1"}


def _numbered(num_columns: int) -> list[str]:
    return ["target"] if num_columns == 1 else [f"target_{place}" for place in range(num_columns)]


def name_labels(labels: Any, classes: Sequence[str] | None, num_rows: int) -> tuple[list[str], np.ndarray]:
    """Class names and class numbers of a notebook's labels.

    Raises:
        DataError: When there is not one label per row, or a label is no class.
    """
    values = _plain_labels(labels)
    if values.ndim >= 1 and len(values) != num_rows:
        raise DataError(f"There are {num_rows:,} rows and {len(values):,} labels; every row needs one label.")
    if classes is None:
        return encode_labels(values, "The labels array")
    names = [str(name) for name in classes]
    return names, number_labels(values, names, "The labels array")


def to_pictures(array: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Pictures as uint8 or float32 (N, C, H, W), with the range of their values.

    Raises:
        DataError: When the shape is not one of pictures.
    """
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3, 4) and array.shape[1] not in (1, 3):
        array = np.moveaxis(array, -1, 1)
    if array.ndim != 4:
        raise DataError(f"Pictures have shape (N, H, W) or (N, C, H, W); the inputs are {shape_text(array.shape)}.")
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 255 and (array.dtype.kind in "biu" or (high > 1 and bool((array == np.rint(array)).all()))):
        # Whole levels; a dark collection of 8-bit pictures still means 255 by white.
        return array.astype(np.uint8, copy=False), {
            "low": 0.0,
            "high": 255.0 if high > 64 else max(high, 1.0),
            "bounded": True,
        }
    for known_low, known_high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if low >= known_low and high <= known_high:
            return array.astype(np.float32, copy=False), {"low": known_low, "high": known_high, "bounded": True}
    return array.astype(np.float32, copy=False), {"low": low, "high": high, "bounded": False}
