"""Rows that are not one rectangular array: rows with lengths of their own, and windows on one long series.

Both behave like an array of rows: `len(rows)`, `rows[i]` (one row), and iteration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lepton_lab.errors import DataError


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end.

    Attributes:
        values: All rows one after the other, (sum of lengths, ...).
        offsets: Where each row begins, and the end of the last: int64 (N + 1,).
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: list[np.ndarray]) -> Ragged:
        """Rows given one by one; their trailing shapes and types are alike.

        Raises:
            DataError: There is no row to take shape and type from.
        """
        if not rows:
            raise DataError("There are no rows; expected at least one.")
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        return cls(np.concatenate(rows), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Length of each row, int64 (N,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> Ragged:
        """Some of the rows, in the order of `rows`, copied.

        Args:
            rows: Row numbers, int64 (M,).
        """
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Ragged(np.asarray(self.values[places]), offsets)

    def padded(self, rows: np.ndarray, length: int | None = None) -> np.ndarray:
        """Some of the rows as one array (M, length, ...), filled with zeros, cut where they are longer.

        Args:
            rows: Row numbers, int64 (M,).
            length: Steps of every row (default: the longest of these rows, at least 1).
        """
        length = length or max(1, int(self.lengths[rows].max(initial=1)))
        padded = np.zeros((len(rows), length, *self.values.shape[1:]), self.values.dtype)
        for place, row in enumerate(rows):
            steps = self[int(row)][:length]
            padded[place, : len(steps)] = steps
        return padded


@dataclass(frozen=True)
class Windows:
    """Stretches of one long series, of one length, that may overlap.

    Attributes:
        series: (T, F) numbers, or (T,) tokens.
        starts: Where each window begins, int64 (N,).
        length: Steps of a window.
    """

    series: np.ndarray
    starts: np.ndarray
    length: int

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> np.ndarray:
        start = int(self.starts[row])
        return self.series[start : start + self.length]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some of the windows as one array (M, length, ...).

        Args:
            rows: Window numbers, int64 (M,).
        """
        return np.asarray(self.series[self.starts[rows][:, None] + np.arange(self.length)])
