"""Class labels: names in a stable order and a number for each row, or a clear word why they are not classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lepton_lab.errors import DataError

MAX_CLASSES = 1000
_MANY = 20
"""From so many classes on, a class must have two rows on average."""


def encode_labels(values: Sequence[Any] | np.ndarray, what: str) -> tuple[list[str], np.ndarray]:
    """Names the classes and numbers the rows.

    Args:
        values: One label per row: whole numbers, texts or booleans, none missing.
        what: How to call them in an error ("The column 'income'").

    Returns:
        Class names, whole numbers in numeric order and texts in alphabetical order, and the class numbers (N,).

    Raises:
        DataError: When labels are decimal numbers, or there are too many different ones for classes.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(
            f"{what} must be one label per row, got shape {array.shape}; for one-hot labels give labels.argmax(axis=1)."
        )
    if array.dtype.kind == "f":
        array = _whole(array, what)
    if array.dtype.kind == "O":
        array = _plain(array, what)
    if array.dtype.kind not in "biuU":
        raise DataError(f"{what} has values of type {array.dtype}; expected whole numbers or texts.")
    distinct, numbers = np.unique(array, return_inverse=True)
    check_class_count(len(distinct), len(array), what)
    return [str(value) for value in distinct.tolist()], numbers.astype(np.int64)


def number_labels(values: Sequence[Any] | np.ndarray, classes: Sequence[str], what: str) -> np.ndarray:
    """Numbers rows by given classes: labels are the names, or already positions in the list.

    Raises:
        DataError: Names the first label that is no class.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"{what} must be one label per row, got shape {array.shape}.")
    names = {name: number for number, name in enumerate(classes)}
    if len(names) != len(classes):
        raise DataError("The list of classes has a name twice; every class needs a name of its own.")
    if array.dtype.kind in "biu" and array.size and array.min() >= 0 and array.max() < len(classes):
        return array.astype(np.int64)
    texts = [str(value) for value in array.tolist()]
    strange = next((text for text in texts if text not in names), None)
    if strange is not None:
        raise DataError(f"{what} has the label {strange!r}, which is not among the {len(classes)} given classes.")
    return np.array([names[text] for text in texts], dtype=np.int64)


def check_class_count(num_classes: int, num_rows: int, what: str) -> None:
    """Refuses labels that are too many to be classes.

    Raises:
        DataError: Says how many there are.
    """
    if num_classes > MAX_CLASSES or (num_classes > _MANY and num_classes * 2 > num_rows):
        raise DataError(
            f"{what} has {num_classes:,} different values in {num_rows:,} rows; that is no set of classes "
            f"(at most {MAX_CLASSES:,}, with two rows each on average). Choose another target, or group its values."
        )


def _whole(array: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError(f"{what} has no valid label in row {row} ({array[row]}); every row needs a class.")
    if not (array == np.rint(array)).all():
        decimal = float(array[array != np.rint(array)][0])
        raise DataError(
            f"{what} has decimal numbers such as {decimal:g}; classification needs classes. "
            "Choose another target, or turn the numbers into classes (for example low, middle, high)."
        )
    return array.astype(np.int64)


def _plain(array: np.ndarray, what: str) -> np.ndarray:
    """An array of Python objects as whole numbers or as texts."""
    for row, value in enumerate(array.tolist()):
        if value is None or value != value:
            raise DataError(f"{what} has no label in row {row}; every row needs a class.")
    if all(isinstance(value, int) for value in array.tolist()):
        return array.astype(np.int64)
    return np.array([str(value) for value in array.tolist()])
