"""Tables: every column in its code, side by side; those that the network embeds stand last."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.columns import is_missing
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.table_codes import ColumnCode, read_code
from lepton_lab.errors import DataError


@dataclass(frozen=True)
class TablePreparation(Preparation):
    """Filling, scaling and spreading of a table's columns.

    Attributes:
        columns: The columns that are used, in the source's order.
        source_columns: Names of all columns of the source but the targets; a row may be a list in this order.
        targets: Names of the target columns; a row may have them, and they are not looked at.
        allows_missing: Whether a row may have missing values.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[ColumnCode, ...]
    source_columns: tuple[str, ...]
    targets: tuple[str, ...]
    allows_missing: bool = True

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (sum(column.stored for column in self.columns),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (sum(column.width for column in self.columns),)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        return tuple(column.cardinality for column in self.columns if column.cardinality)

    @property
    def extra(self) -> dict[str, Any]:
        """`numbers`: which inputs are measured (numbers and moments), not made from a category or a text."""
        found, start = [], 0
        for column in self.columns:
            if not column.cardinality:  # those that are embedded stand last
                found += [start] if column.kind in ("number", "date") else []
                start += column.width
        return {"numbers": found}

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.zeros((len(stored), *self.input_shape), np.float32)
        ends = np.cumsum([column.stored for column in self.columns])
        start = 0
        for column, end in sorted(
            zip(self.columns, ends.tolist(), strict=True), key=lambda pair: pair[0].cardinality > 0
        ):
            cells = np.asarray(stored[:, end - column.stored : end], np.float64)
            column.spread(cells, prepared[:, start : start + column.width])
            start += column.width
        return prepared

    def read(self, items: Sequence[Any]) -> np.ndarray:
        stored = np.empty((len(items), *self.stored_shape), np.float64)
        for number, item in enumerate(items):
            row = self._by_name(item, f"Row {number}")
            stored[number] = [cell for column in self.columns for cell in self._cells(row, column, number)]
        return stored

    def _cells(self, row: Mapping[str, Any], column: ColumnCode, number: int) -> list[float]:
        where = f"Row {number}: column {column.name!r}"
        value = row[column.name]
        if is_missing(value):
            if not self.allows_missing:
                raise DataError(f"{where} has no value; this network learnt from complete rows only.")
            return column.missing()
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
        known = {*self.source_columns, *self.targets}
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
            "columns": [column.to_dict() for column in self.columns],
            "source_columns": list(self.source_columns),
            "targets": list(self.targets),
            "allows_missing": self.allows_missing,
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> TablePreparation:
        targets = fields["targets"] if "targets" in fields else [fields["target"]]
        return cls(
            columns=tuple(read_code(values) for values in fields["columns"]),
            source_columns=tuple(str(name) for name in fields["source_columns"]),
            targets=tuple(str(name) for name in targets),
            allows_missing=bool(fields["allows_missing"]),
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
