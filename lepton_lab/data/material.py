"""What a source hands over before anything is split: rows, labels and what was noticed while reading.

`Material` is the seam between sources and the rest: it knows the task, how to fit a preparation on the training rows
and how to write any rows in the form of the store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.balance import balanced
from lepton_lab.data.forms import Rows, save_part, save_series
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.rows import Windows
from lepton_lab.data.splits import split_rows
from lepton_lab.data.targets import Target, fit_target
from lepton_lab.errors import SpecError
from lepton_lab.specs import DataSpec, Problem

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
        classes: Names of the classes (a label is an index into them), or of the targets or series.
        labels: What `specs.TASKS` names for the task, before scaling: class numbers (N,) int64, 0 and 1 (N, K), numbers
            (N, K) or (N,), `Ragged` boxes, or `Windows`.
        row_ids: Where each row stood in the source (N,), int64.
        official: Row numbers of the parts that the source has of its own, by split name.
        remarks: What was noticed while reading.
        task: A name of `specs.TASKS`.
        groups: Rows with the same number stay in one part (N,), int64; None where there are no groups.
        times: Where the split goes by time: what the rows are ordered by (N,); else None.
        low: Least value of a label that makes sense, where one is known.
        high: Greatest such value.
        raw: What a person would send for each row, as UTF-8 bytes, where the stored row cannot be read back: `Ragged`
            (see `forms.text_rows`).
    """

    classes: list[str]
    labels: Any
    row_ids: np.ndarray
    official: dict[str, np.ndarray] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    task: str = field(default="classification", kw_only=True)
    groups: np.ndarray | None = field(default=None, kw_only=True)
    times: np.ndarray | None = field(default=None, kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    raw: Rows | None = field(default=None, kw_only=True)

    @property
    @abstractmethod
    def modality(self) -> str:
        """What a row is, as in `specs.Problem`."""

    @abstractmethod
    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        """Fits the preparation on the training rows alone."""

    @abstractmethod
    def write(self, path: Path, rows: np.ndarray) -> None:
        """Writes rows in stored form with `forms.save_part`; `path` has no suffix. Called after `fit`."""

    def split(self, spec: DataSpec) -> dict[str, np.ndarray]:
        """Row numbers of "train", "validation" and "test"; materials on one series divide it themselves."""
        classes = self.labels if self.task == "classification" else None
        parts = split_rows(
            len(self.labels),
            official=self.official,
            classes=classes,
            groups=self.groups,
            times=self.times,
            how=spec.split,
            validation_fraction=spec.validation_fraction,
            test_fraction=spec.test_fraction,
            seed=spec.split_seed,
        )
        if spec.balance != "none" and classes is None:
            raise SpecError(
                f"data: balance is {spec.balance!r}, which needs classes; this is {self.task}. Leave it out."
            )
        if spec.balance != "none":
            parts["train"] = balanced(parts["train"], self.labels, spec.balance, spec.split_seed)
        return parts

    def write_labels(self, path: Path, rows: np.ndarray) -> None:
        """Writes labels; `path` has no suffix."""
        labels = self.labels
        if isinstance(labels, Windows):
            save_series(path.parent, labels.series)
        save_part(path, labels.astype(np.int64) if self.task == "classification" else labels, rows)

    def labelling(self, train_rows: np.ndarray) -> Target:
        """How labels are scaled, fitted on the training rows alone."""
        labels = self.labels if not isinstance(self.labels, np.ndarray) else self.labels[train_rows]
        if self.task not in ("regression", "rating", "forecasting"):
            return Target(self.task, tuple(self.classes))
        return fit_target(self.task, labels, tuple(self.classes), low=self.low, high=self.high)

    def problem(self, preparation: Preparation) -> Problem:
        """What a network has to know; called after `fit`. The default is one answer per class or target."""
        return Problem(
            self.task,
            self.modality,
            preparation.input_shape,
            () if self.task in ("rating", "ranking") else (len(self.classes),),
            has_lengths=preparation.has_lengths,
            vocabulary=preparation.vocabulary,
            letter_groups=preparation.letter_groups,
            cardinalities=preparation.cardinalities,
            classes=tuple(self.classes),
            extra=preparation.extra,
        )

    def describe(self) -> dict[str, Any]:
        """What a reader of the store needs besides the arrays, ready for JSON."""
        return {}


@dataclass
class ImageMaterial(Material):
    """Pictures that are already one array.

    Attributes:
        images: uint8 or float32 (N, C, H, W).
        black: Its value.
        white: Its value.
        bounded: Whether values outside that range make no sense.
        fit_mode: What happened to picture files of other proportions, as in `Placing`.
    """

    images: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 1), np.uint8))
    black: float = 0.0
    white: float = 255.0
    bounded: bool = True
    fit_mode: str = "crop"

    @property
    def modality(self) -> str:
        return "image"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        from lepton_lab.data.image_preparation import fit_images

        return fit_images(
            self.images,
            train_rows,
            spec.normalize,
            low=self.black,
            high=self.white,
            bounded=self.bounded,
            fit=self.fit_mode,
        )

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_part(path, self.images, rows)


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
        save_part(path, self.sequences, rows)
