"""Sequences of equal length: each step has the same features, scaled per feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.preparation import Preparation, numbers, shape_text
from lepton_lab.errors import DataError


@dataclass(frozen=True)
class SequencePreparation(Preparation):
    """Scaling of sequences.

    Attributes:
        shape: Steps, features.
        mean: Subtracted from each feature (F,).
        std: Divides each feature (F,).
    """

    kind: ClassVar[str] = "sequence"
    shape: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.shape

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.array(stored, dtype=np.float32, order="C")
        prepared -= np.asarray(self.mean, np.float32)
        prepared /= np.asarray(self.std, np.float32)
        return prepared

    def read(self, items: Sequence[Any]) -> np.ndarray:
        return np.stack([self._read_one(item, f"Item {number}") for number, item in enumerate(items)])

    def _read_one(self, item: Any, where: str) -> np.ndarray:
        array = numbers(item, where)
        if array.shape == (self.shape[0],) and self.shape[1] == 1:
            array = array[:, None]
        if array.shape != self.shape:
            raise DataError(
                f"{where}: expected {self.shape[0]} steps of {self.shape[1]} numbers, got {shape_text(array.shape)}."
            )
        return array

    def _fields(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> SequencePreparation:
        steps, features = (int(size) for size in fields["shape"])
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        if min(steps, features) < 1 or len(mean) != features or len(std) != features or 0.0 in std:
            raise ValueError("its shape and scaling do not fit together")
        return cls((steps, features), mean, std)


def fit_sequences(sequences_NTF: np.ndarray, normalize: str) -> SequencePreparation:
    """Fits the scaling of sequences on the training part, feature by feature."""
    from lepton_lab.data.scaling import fit_scale

    _, steps, features = sequences_NTF.shape
    mean, std = fit_scale(sequences_NTF.reshape(-1, features), normalize)
    return SequencePreparation((int(steps), int(features)), tuple(mean.tolist()), tuple(std.tolist()))
