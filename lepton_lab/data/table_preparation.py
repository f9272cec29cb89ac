"""Tables: numbers filled and scaled, categories spread over one column per value (one-hot)."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.columns import MISSING, UNKNOWN, as_category, as_number, is_missing
from lepton_lab.data.preparation import Preparation
from lepton_lab.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers.

    Attributes:
        name: The column's name.
        fill: Stands in for a missing value; the training part's median.
        offset: Subtracted.
        divisor: Divides what is left.
    """

    name: str
    fill: float
    offset: float
    divisor: float

    @property
    def width(self) -> int:
        """Columns of the network's input."""
        return 1

    def encode(self, value: Any, where: str) -> float:
        """A raw cell in stored form."""
        return as_number(value, where)

    def spread(self, cells_N: np.ndarray, out_NW: np.ndarray) -> None:
        """Writes the network's input for stored cells."""
        filled = np.where(np.isnan(cells_N), self.fill, cells_N)
        out_NW[:, 0] = np.clip((filled - self.offset) / self.divisor, -_LARGEST, _LARGEST)


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories.

    Attributes:
        name: The column's name.
        values: The values that have an input of their own; any other value leaves all of them at zero.
        fill: Place of the value that stands in for a missing one; None leaves it out.
        marks_missing: Whether a missing value has an input of its own.
    """

    name: str
    values: tuple[str, ...]
    fill: int | None
    marks_missing: bool

    @property
    def width(self) -> int:
        """Columns of the network's input."""
        return len(self.values) + self.marks_missing

    @cached_property
    def _places(self) -> dict[str, int]:
        return {value: place for place, value in enumerate(self.values)}

    def encode(self, value: Any, where: str) -> float:
        """A raw cell in stored form."""
        if isinstance(value, dict | list | tuple):
            raise DataError(f"{where} is a {type(value).__name__}; expected a text.")
        return float(self._places.get(as_category(value), UNKNOWN))

    def spread(self, cells_N: np.ndarray, out_NW: np.ndarray) -> None:
        """Writes the network's input for stored cells."""
        places = cells_N.astype(np.int64)
        if self.fill is not None:
            places = np.where(places == MISSING, self.fill, places)
        elif self.marks_missing:
            places = np.where(places == MISSING, len(self.values), np.where(places >= len(self.values), -1, places))
        rows = np.flatnonzero((places >= 0) & (places < self.width))
        out_NW[rows, places[rows]] = 1.0


@dataclass(frozen=True)
class TablePreparation(Preparation):
    """Filling, scaling and spreading of a table's columns.

    Attributes:
        columns: The columns that are used, in the source's order.
        source_columns: Names of all columns of the source but the target; a row may be a list in this order.
        target: Name of the target column; a row may have it, and it is not looked at.
        allows_missing: Whether a row may have missing values.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[NumberColumn | CategoryColumn, ...]
    source_columns: tuple[str, ...]
    target: str
    allows_missing: bool = True

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (len(self.columns),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (sum(column.width for column in self.columns),)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.zeros((len(stored), *self.input_shape), np.float32)
        start = 0
        for place, column in enumerate(self.columns):
            column.spread(np.asarray(stored[:, place], np.float64), prepared[:, start : start + column.width])
            start += column.width
        return prepared

    def read(self, items: Sequence[Any]) -> np.ndarray:
        stored = np.empty((len(items), len(self.columns)), np.float64)
        for number, item in enumerate(items):
            row = self._by_name(item, f"Row {number}")
            stored[number] = [self._cell(row, column, number) for column in self.columns]
        return stored

    def _cell(self, row: Mapping[str, Any], column: NumberColumn | CategoryColumn, number: int) -> float:
        where = f"Row {number}: column {column.name!r}"
        value = row[column.name]
        if is_missing(value):
            if not self.allows_missing:
                raise DataError(f"{where} has no value; this network learnt from complete rows only.")
            return float(MISSING) if isinstance(column, CategoryColumn) else float("nan")
        return column.encode(value, where)

    def _by_name(self, item: Any, where: str) -> Mapping[str, Any]:
        """A raw row as a dict that has every column in use."""
        if isinstance(item, Mapping):
            return self._checked(item, where)
        if isinstance(item, str):
            item = next(csv.reader([item]), [])
        if isinstance(item, np.ndarray):
            item = item.tolist()
        if not isinstance(item, list | tuple):
            raise DataError(f"{where} is a {type(item).__name__}; expected a dict by column name or a list of cells.")
        used = tuple(column.name for column in self.columns)
        for names in (used, self.source_columns):
            if len(item) == len(names):
                return dict(zip(names, item, strict=True))
        lengths = sorted({len(used), len(self.source_columns)})
        raise DataError(
            f"{where} has {len(item)} cells; expected {' or '.join(str(length) for length in lengths)}: "
            f"{_listed(self.source_columns if len(lengths) > 1 else used)}."
        )

    def _checked(self, row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        known = {*self.source_columns, self.target}
        for column in self.columns:
            if column.name not in row:
                strange = [str(name) for name in row if name not in known]
                near = difflib.get_close_matches(column.name, strange, n=1)
                hint = f" Did you mean it by {near[0]!r}?" if near else ""
                raise DataError(f"{where} lacks the column {column.name!r}; use null where there is no value.{hint}")
        for name in row:
            if name not in known:
                raise DataError(f"{where} has a column {str(name)!r} that the network does not know; leave it out.")
        return row

    def _fields(self) -> dict[str, Any]:
        return {
            "columns": [
                {"kind": "number" if isinstance(column, NumberColumn) else "category", **asdict(column)}
                for column in self.columns
            ],
            "source_columns": list(self.source_columns),
            "target": self.target,
            "allows_missing": self.allows_missing,
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> TablePreparation:
        return cls(
            columns=tuple(_column(values) for values in fields["columns"]),
            source_columns=tuple(str(name) for name in fields["source_columns"]),
            target=str(fields["target"]),
            allows_missing=bool(fields["allows_missing"]),
        )


def _column(values: dict[str, Any]) -> NumberColumn | CategoryColumn:
    if values["kind"] == "number":
        fill, offset, divisor = (float(values[key]) for key in ("fill", "offset", "divisor"))
        if not np.isfinite([fill, offset, divisor]).all() or divisor == 0:
            raise ValueError(f"the scaling of column {values['name']!r} is not finite")
        return NumberColumn(str(values["name"]), fill, offset, divisor)
    texts = tuple(str(value) for value in values["values"])
    fill_place = None if values["fill"] is None else int(values["fill"])
    if fill_place is not None and not 0 <= fill_place < len(texts):
        raise ValueError(f"the fill of column {values['name']!r} is none of its values")
    return CategoryColumn(str(values["name"]), texts, fill_place, bool(values["marks_missing"]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
