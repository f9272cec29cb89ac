"""Columns of a table and their cells, read one way everywhere: in files, frames and requests.

A stored cell is a float64: a number, NaN where it is missing; or a category's place in the column's list of values,
`MISSING` where it is missing, `UNKNOWN` for a value that the list does not have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton_lab.data.times import as_text
from lepton_lab.errors import DataError

MISSING, UNKNOWN = -1, -2
MAX_NUMBER = 1e30
"""Larger numbers are refused: they would turn into infinity on the way to the network."""

NULL_WORDS = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "none"})
"""Texts that mean "no value", in small letters."""


TRUTH_WORDS = frozenset({"true", "false"})
"""Texts that are written in small letters, whatever they came in."""


def is_missing(value: Any) -> bool:
    """Whether a raw cell holds no value: None, NaN, or one of `NULL_WORDS`."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return True
    return isinstance(value, str) and value.strip().lower() in NULL_WORDS


def as_number(value: Any, where: str) -> float:
    """A raw cell as a number.

    Raises:
        DataError: When it is no finite number.
    """
    if isinstance(value, str) and "_" not in value:
        try:
            value = float(value.strip())
        except ValueError:
            value = repr(value)
    if isinstance(value, bool | int | float | np.integer | np.floating | np.bool_):
        number = _float(value)
        if abs(number) <= MAX_NUMBER:
            return number
        raise DataError(f"{where} is {number:g}; expected a finite number of at most {MAX_NUMBER:g}.")
    raise DataError(f"{where} is {str(value)[:60]}; expected a number.")


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def as_category(value: Any) -> str:
    """A raw cell as the text that a category is known by: 3.0 and 3 are "3", True and "True" are "true"."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.lower() if text.lower() in TRUTH_WORDS else text


def decode_row(stored: np.ndarray, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A stored row as a person would write it.

    Args:
        stored: float64 (F,).
        columns: The dataset's columns; those with a role instead of a code have no stored cell.

    Returns:
        A value by column name: int or float, text, an ISO date, or None where it is missing. Texts are not stored in
        the row; they are None.
    """
    row, start = {}, 0
    for column in columns:
        width = int(column.get("stored", 0 if column["kind"] == "ignored" else 1))
        if width:
            row[column["name"]] = _decode(float(stored[start]), column)
        start += width
    return row


def _decode(cell: float, column: Mapping[str, Any]) -> Any:
    if column["kind"] == "text":
        return None
    if column["kind"] == "category":
        return column["values"][int(cell)] if cell >= 0 else None
    if math.isnan(cell):
        return None
    if column["kind"] == "date":
        return as_text(cell)
    return int(cell) if column["whole"] else cell
