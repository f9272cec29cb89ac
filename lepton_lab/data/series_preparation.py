"""Windows on a long series of numbers, scaled per column: the input of forecasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.preparation import Preparation, numbers, shape_text
from lepton_lab.errors import DataError


@dataclass(frozen=True)
class SeriesPreparation(Preparation):
    """Scaling of a series, and the form of a window on it.

    A stored row is one moment of the series; windows are cut behind the scaling, which goes number by number.

    Attributes:
        window: Steps that are seen at once.
        names: The columns, in order (F,).
        mean: Subtracted from each column (F,).
        std: Divides each column (F,).
    """

    kind: ClassVar[str] = "series"
    window: int
    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (len(self.names),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.window, len(self.names))

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Scales moments (T, F) or windows (N, L, F); each number by itself, so both give the same bits."""
        stored = np.asarray(stored)
        if stored.ndim not in (2, 3) or stored.shape[-1] != len(self.names):
            raise DataError(
                f"The series has shape {shape_text(stored.shape)}; expected moments of {len(self.names)} numbers."
            )
        return self._scale(stored)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.array(stored, dtype=np.float32, order="C")
        prepared -= np.asarray(self.mean, np.float32)
        prepared /= np.asarray(self.std, np.float32)
        return prepared

    def from_raw(self, items: Sequence[Any]) -> np.ndarray:
        """Prepares windows that a person sends: each the last `window` moments, oldest first.

        Args:
            items: Per window nested lists (L, F), a list of numbers where there is one column, or a list of dicts by
                column name. What is longer than the window is cut at its beginning.

        Returns:
            float32 (N, L, F).

        Raises:
            DataError: Names the item and what is wrong with it.
        """
        if isinstance(items, str | bytes | bytearray | dict) or not isinstance(items, Sequence | np.ndarray):
            raise DataError(f"Expected a list of windows, got {type(items).__name__}; put a single one in a list.")
        if not len(items):
            return np.empty((0, *self.input_shape), np.float32)
        return self._scale(self.read(items))

    def read(self, items: Sequence[Any]) -> np.ndarray:
        return np.stack([self._read_one(item, f"Item {number}") for number, item in enumerate(items)])

    def _read_one(self, item: Any, where: str) -> np.ndarray:
        if isinstance(item, Sequence) and item and all(isinstance(moment, dict) for moment in item):
            item = [self._in_order(moment, f"{where}, moment {place}") for place, moment in enumerate(item)]
        array = numbers(item, where)
        if array.ndim == 1 and len(self.names) == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != len(self.names) or len(array) < self.window:
            raise DataError(
                f"{where}: expected {self.window} moments or more of {len(self.names)} numbers each "
                f"({', '.join(self.names[:8])}), got {shape_text(array.shape)}."
            )
        return array[-self.window :]

    def _in_order(self, moment: dict[str, Any], where: str) -> list[Any]:
        absent = [name for name in self.names if moment.get(name) is None]
        if absent:
            raise DataError(f"{where}: there is no value for {absent[0]!r}; expected {', '.join(self.names[:8])}.")
        return [moment[name] for name in self.names]

    def _fields(self) -> dict[str, Any]:
        return {"window": self.window, "names": list(self.names), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> SeriesPreparation:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        window, names = int(fields["window"]), tuple(str(name) for name in fields["names"])
        if window < 1 or not names or not len(names) == len(mean) == len(std) or 0.0 in std:
            raise ValueError("its window and scaling do not fit together")
        return cls(window, names, mean, std)
