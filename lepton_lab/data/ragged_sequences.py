"""Sequences with lengths of their own: each step has the same features, scaled per feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.forms import save_part
from lepton_lab.data.material import Material
from lepton_lab.data.preparation import Preparation, RaggedPreparation, numbers, shape_text
from lepton_lab.data.rows import Ragged
from lepton_lab.data.scaling import fit_scale
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

MAX_STEPS = 100_000
"""Steps of a sequence that is sent; what is longer is refused."""


@dataclass(frozen=True)
class RaggedSequencePreparation(RaggedPreparation):
    """Scaling of sequences of unequal length; a stored row of `Ragged` values is one step.

    Attributes:
        longest: Steps of the longest sequence of the dataset.
        mean: Subtracted from each feature (F,).
        std: Divides each feature (F,).
    """

    kind: ClassVar[str] = "ragged_sequence"
    longest: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (len(self.mean),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.longest, len(self.mean))

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.array(stored, dtype=np.float32, order="C")
        prepared -= np.asarray(self.mean, np.float32)
        prepared /= np.asarray(self.std, np.float32)
        return prepared

    def read(self, items: Sequence[Any]) -> Ragged:
        return Ragged.of([self._read_one(item, f"Item {number}") for number, item in enumerate(items)])

    def _read_one(self, item: Any, where: str) -> np.ndarray:
        array = numbers(item, where)
        features = len(self.mean)
        if array.ndim == 1 and features == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] != features:
            raise DataError(f"{where}: expected steps of {features} numbers each, got {shape_text(array.shape)}.")
        if len(array) > MAX_STEPS:
            raise DataError(f"{where}: it has {len(array):,} steps; at most {MAX_STEPS:,} are read.")
        return array

    def _fields(self) -> dict[str, Any]:
        return {"longest": self.longest, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> RaggedSequencePreparation:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        longest = int(fields["longest"])
        if longest < 1 or not mean or len(mean) != len(std) or 0.0 in std:
            raise ValueError("its length and scaling do not fit together")
        return cls(longest, mean, std)


@dataclass
class RaggedSequenceMaterial(Material):
    """Sequences with lengths of their own.

    Attributes:
        sequences: float32 rows (T, F).
    """

    sequences: Ragged = field(default_factory=lambda: Ragged(np.empty((0, 1), np.float32), np.zeros(1, np.int64)))

    @property
    def modality(self) -> str:
        return "sequence"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        mean, std = fit_scale(self.sequences.take(train_rows).values, spec.normalize)
        longest = max(1, int(self.sequences.lengths.max(initial=1)))
        return RaggedSequencePreparation(longest, tuple(mean.tolist()), tuple(std.tolist()))

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_part(path, self.sequences, rows)
