"""What a source hands over before anything is split: rows, class numbers and what was noticed while reading.

`Material` is the seam between sources and the rest: it knows how to fit a preparation on the training rows and how
to write any rows in the form of the store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.preparation import Preparation
from lepton_lab.data.storage import save_rows
from lepton_lab.specs import DataSpec

Progress = Callable[[str, float | None], None]
"""Told what is being done and which share of it is done (None where that is unknown)."""


@dataclass(frozen=True)
class Remark:
    """Something worth knowing about a dataset.

    Attributes:
        kind: What was noticed, for programs ("duplicates", "constant_column", ...).
        severity: "error" (cannot be trained on), "warning" (the result may mislead) or "note".
        message: One sentence for a person. It may quote labels and file names: escape it where it is shown.
    """

    kind: str
    severity: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """The remark as plain values."""
        return asdict(self)


@dataclass
class Material(ABC):
    """Rows of a source.

    Attributes:
        classes: Names of the classes; a label is an index into them.
        labels: Class numbers (N,), int64.
        row_ids: Where each row stood in the source (N,), int64.
        official: Row numbers of the parts that the source has of its own, by split name.
        remarks: What was noticed while reading.
    """

    classes: list[str]
    labels: np.ndarray
    row_ids: np.ndarray
    official: dict[str, np.ndarray] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    @property
    @abstractmethod
    def modality(self) -> str:
        """ "image", "sequence" or "table"."""

    @abstractmethod
    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        """Fits the preparation on the training rows alone."""

    @abstractmethod
    def write(self, path: Path, rows: np.ndarray) -> None:
        """Writes rows in stored form as one .npy file."""

    def describe(self) -> dict[str, Any]:
        """What a reader of the store needs besides the arrays, ready for JSON."""
        return {}


@dataclass
class ImageMaterial(Material):
    """Pictures that are already one array.

    Attributes:
        images: uint8 or float32 (N, C, H, W).
        low: The value of black.
        high: The value of white.
        bounded: Whether values outside that range make no sense.
    """

    images: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 1), np.uint8))
    low: float = 0.0
    high: float = 255.0
    bounded: bool = True

    @property
    def modality(self) -> str:
        return "image"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        from lepton_lab.data.image_preparation import fit_images

        return fit_images(self.images, train_rows, spec.normalize, low=self.low, high=self.high, bounded=self.bounded)

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_rows(path, self.images, rows)


@dataclass
class SequenceMaterial(Material):
    """Sequences of equal length.

    Attributes:
        sequences: float32 (N, T, F).
    """

    sequences: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1), np.float32))

    @property
    def modality(self) -> str:
        return "sequence"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        from lepton_lab.data.sequence_preparation import fit_sequences

        return fit_sequences(self.sequences[train_rows], spec.normalize)

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_rows(path, self.sequences, rows)
