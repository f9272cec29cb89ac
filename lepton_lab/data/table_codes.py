"""How each kind of column is written for a network: numbers, categories, dates and texts.

Every code says how many cells a row has in the store (`stored`) and how many inputs the network gets of it (`width`).
Stored cells are float64; the same arithmetic, element by element, serves training and requests.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data import times
from lepton_lab.data.columns import MISSING, UNKNOWN, as_category, as_number
from lepton_lab.data.tokens import Tokenizer
from lepton_lab.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ColumnCode(ABC):
    """Base of the codes.

    Attributes:
        name: The column's name.
    """

    kind: ClassVar[str]
    name: str

    @property
    def stored(self) -> int:
        """Cells of a stored row."""
        return 1

    @property
    def cardinality(self) -> int:
        """Values of a column that the network embeds; 0 for all others."""
        return 0

    @property
    @abstractmethod
    def width(self) -> int:
        """Columns of the network's input."""

    @abstractmethod
    def encode(self, value: Any, where: str) -> list[float]:
        """A raw cell, not missing, in stored form.

        Raises:
            DataError: When the cell does not fit the column; begins with `where`.
        """

    @abstractmethod
    def missing(self) -> list[float]:
        """A missing cell in stored form."""

    @abstractmethod
    def spread(self, cells_NS: np.ndarray, out_NW: np.ndarray) -> None:
        """Writes the network's input for stored cells into zeros."""

    def to_dict(self) -> dict[str, Any]:
        """The code as plain values, ready for JSON."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class NumberColumn(ColumnCode):
    """A column of numbers.

    Attributes:
        fill: Stands in for a missing value; the training part's median.
        offset: Subtracted.
        divisor: Divides what is left.
        low: Smaller values are raised to it, where outliers are clipped.
        high: Larger values are lowered to it.
    """

    kind: ClassVar[str] = "number"
    fill: float
    offset: float
    divisor: float
    low: float | None = None
    high: float | None = None

    @property
    def width(self) -> int:
        return 1

    def encode(self, value: Any, where: str) -> list[float]:
        return [as_number(value, where)]

    def missing(self) -> list[float]:
        return [math.nan]

    def spread(self, cells_NS: np.ndarray, out_NW: np.ndarray) -> None:
        cells_N = cells_NS[:, 0]
        filled = np.where(np.isnan(cells_N), self.fill, cells_N)
        if self.low is not None or self.high is not None:
            filled = np.clip(filled, self.low, self.high)
        out_NW[:, 0] = np.clip((filled - self.offset) / self.divisor, -_LARGEST, _LARGEST)


@dataclass(frozen=True)
class CategoryColumn(ColumnCode):
    """A column of categories.

    Attributes:
        values: The values that are told apart; any other one is unknown.
        fill: Place of the value that stands in for a missing one; None leaves it out.
        marks_missing: Whether a missing value is a value of its own.
        embedded: One whole number (0 unknown, then the values, then missing) instead of an input for each value.
    """

    kind: ClassVar[str] = "category"
    values: tuple[str, ...]
    fill: int | None
    marks_missing: bool
    embedded: bool = False

    @property
    def width(self) -> int:
        return 1 if self.embedded else len(self.values) + self.marks_missing

    @property
    def cardinality(self) -> int:
        return 1 + len(self.values) + self.marks_missing if self.embedded else 0

    @cached_property
    def _places(self) -> dict[str, int]:
        return {value: place for place, value in enumerate(self.values)}

    def encode(self, value: Any, where: str) -> list[float]:
        if isinstance(value, dict | list | tuple):
            raise DataError(f"{where} is a {type(value).__name__}; expected a text.")
        return [float(self._places.get(as_category(value), UNKNOWN))]

    def missing(self) -> list[float]:
        return [float(MISSING)]

    def spread(self, cells_NS: np.ndarray, out_NW: np.ndarray) -> None:
        num_values = len(self.values)
        places = cells_NS[:, 0].astype(np.int64)
        is_missing = places == MISSING
        places = np.where((places < 0) | (places >= num_values), -1, places)
        if self.fill is not None:
            places[is_missing] = self.fill
        elif self.marks_missing:
            places[is_missing] = num_values
        if self.embedded:
            out_NW[:, 0] = places + 1
            return
        rows = np.flatnonzero(places >= 0)
        out_NW[rows, places[rows]] = 1.0


_CYCLES = {"year": (times.day_of_year, 366), "week": (times.day_of_week, 7), "day": (times.minute_of_day, 1440)}


@dataclass(frozen=True)
class DateColumn(ColumnCode):
    """A column of dates: the moment as a number, and its place in the year, the week and the day on a circle.

    Attributes:
        form: How a text is read, as in `times.FORMATS`.
        fill: Seconds that stand in for a missing date.
        offset: Subtracted from the seconds.
        divisor: Divides what is left.
        cycles: Any of "year", "week" and "day".
    """

    kind: ClassVar[str] = "date"
    form: str
    fill: float
    offset: float
    divisor: float
    cycles: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return 1 + 2 * len(self.cycles)

    def encode(self, value: Any, where: str) -> list[float]:
        return [times.as_seconds(value, self.form, where)]

    def missing(self) -> list[float]:
        return [math.nan]

    def spread(self, cells_NS: np.ndarray, out_NW: np.ndarray) -> None:
        cells_N = cells_NS[:, 0]
        filled = np.where(np.isnan(cells_N), self.fill, cells_N)
        out_NW[:, 0] = np.clip((filled - self.offset) / self.divisor, -_LARGEST, _LARGEST)
        for place, cycle in enumerate(self.cycles):
            number_of, length = _CYCLES[cycle]
            # Looked up, not computed for a whole array: the same bits whatever the size of the batch.
            out_NW[:, 1 + 2 * place : 3 + 2 * place] = _circle(length)[number_of(filled)]


def _circle(length: int) -> np.ndarray:
    """Sine and cosine of each place on a circle of this length, (length, 2)."""
    turns = [2 * math.pi * place / length for place in range(length)]
    return np.array([[math.sin(turn), math.cos(turn)] for turn in turns])


@dataclass(frozen=True)
class TextColumn(ColumnCode):
    """A column of texts beside others: which of the training part's most frequent words are in it.

    Attributes:
        tokenizer: The words, each with an input of its own.
    """

    kind: ClassVar[str] = "text"
    tokenizer: Tokenizer

    @property
    def stored(self) -> int:
        return len(self.tokenizer.vocabulary)

    @property
    def width(self) -> int:
        return self.stored

    def encode(self, value: Any, where: str) -> list[float]:
        if isinstance(value, dict | list | tuple):
            raise DataError(f"{where} is a {type(value).__name__}; expected a text.")
        row: list[float] = self.encode_all([str(value)])[0].tolist()
        return row

    def encode_all(self, texts: list[str]) -> np.ndarray:
        """Stored cells of texts, float64 (N, stored)."""
        tokens = self.tokenizer.encode(texts)
        cells = np.zeros((len(texts), self.stored + 2))
        cells[np.repeat(np.arange(len(texts)), tokens.lengths), tokens.values] = 1.0
        return cells[:, 2:]

    def missing(self) -> list[float]:
        return [0.0] * self.stored

    def spread(self, cells_NS: np.ndarray, out_NW: np.ndarray) -> None:
        out_NW[:] = cells_NS

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "tokenizer": self.tokenizer.to_dict()}


def read_code(values: dict[str, Any]) -> ColumnCode:
    """Builds a code from its `to_dict()`.

    Raises:
        ValueError: The values are not those of a code.
    """
    kind, name = values["kind"], str(values["name"])
    if kind == "text":
        return TextColumn(name, Tokenizer.from_dict(values["tokenizer"]))
    if kind == "category":
        return _read_category(values, name)
    if kind not in ("number", "date"):
        raise ValueError(f"the kind {kind!r} of column {name!r} is unknown")
    fill, offset, divisor = (float(values[key]) for key in ("fill", "offset", "divisor"))
    if not np.isfinite([fill, offset, divisor]).all() or divisor == 0:
        raise ValueError(f"the scaling of column {name!r} is not finite")
    if kind == "date":
        cycles = tuple(str(cycle) for cycle in values["cycles"])
        if values["form"] not in times.FORMATS or not set(cycles) <= set(_CYCLES):
            raise ValueError(f"the dates of column {name!r} have an unknown form")
        return DateColumn(name, str(values["form"]), fill, offset, divisor, cycles)
    low, high = (None if values.get(key) is None else float(values[key]) for key in ("low", "high"))
    return NumberColumn(name, fill, offset, divisor, low, high)


def _read_category(values: dict[str, Any], name: str) -> CategoryColumn:
    texts = tuple(str(value) for value in values["values"])
    fill = None if values["fill"] is None else int(values["fill"])
    if fill is not None and not 0 <= fill < len(texts):
        raise ValueError(f"the fill of column {name!r} is none of its values")
    return CategoryColumn(name, texts, fill, bool(values["marks_missing"]), bool(values.get("embedded", False)))
