"""A dataset that is ready to train on: memory-mapped splits, their preparation and the card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.forms import text_of
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.splits import SPLIT_NAMES
from lepton_lab.data.targets import Target
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec, Problem

if TYPE_CHECKING:
    from lepton_lab.data.card import DataCard


@dataclass(frozen=True)
class Split:
    """One part of a dataset.

    Attributes:
        inputs: Rows as the store holds them, mapped read-only: uint8 or float32 (N, C, H, W) pictures, float32
            (N, T, F) sequences, float64 (N, F) tables; `Ragged` where rows have lengths of their own (tokens,
            sequences), `Windows` on a series or a corpus (see `data.rows`).
            `Preparation.apply` makes them the network's input.
        labels: What `specs.TASKS` names for the task, before scaling: class numbers (N,) int64, numbers (N, K),
            `Windows` on the same series, or `Ragged` boxes (left, top, right, bottom, class).
        row_ids: Where each row stood in the source (N,), int64.
        raw: What a person would send for each row as UTF-8 bytes (`Ragged`), where the inputs do not tell.
    """

    inputs: Any
    labels: Any
    row_ids: np.ndarray
    raw: Any = None

    def __len__(self) -> int:
        return len(self.labels)


class PreparedDataset:
    """Splits, classes and preparation of one dataset.

    Attributes:
        name: A short name that run and endpoint names can be made of.
        title: The name that a person reads.
        task: A name of `specs.TASKS`.
        modality: What a row is; see `specs.Problem`.
        problem: What a network has to know to be built for this dataset.
        target: How labels are scaled for training and answers read back.
        classes: Names of the classes (a label is an index into them), or of the targets.
        splits: "train", "validation" and "test".
        preparation: What turns stored or raw rows into the network's input.
        fingerprint: Names source, content and options; the folder in the cache.
        spec: What was asked, with an absolute path where a path was given: what a run's record should hold.
    """

    def __init__(
        self,
        *,
        name: str,
        title: str,
        spec: DataSpec,
        splits: Mapping[str, Split],
        preparation: Preparation,
        meta: Mapping[str, Any],
    ) -> None:
        self.name, self.title, self.spec = name, title, spec
        self.splits = dict(splits)
        self.preparation = preparation
        self.modality: str = meta["modality"]
        self.classes: list[str] = list(meta["classes"])
        self.fingerprint: str = meta["fingerprint"]
        self.meta = dict(meta)
        self.problem = Problem.from_dict(meta["problem"]) if "problem" in meta else self._classification()
        self.task = self.problem.task
        self.target = (
            Target.from_dict(meta["labelling"]) if "labelling" in meta else Target(self.task, tuple(self.classes))
        )

    def _classification(self) -> Problem:
        """The problem of a store that names none: one class for each row."""
        names = tuple(self.classes)
        return Problem("classification", self.modality, self.preparation.input_shape, (len(names),), classes=names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row as the network takes it."""
        return self.preparation.input_shape

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    def card(self) -> DataCard:
        """What a person should see before training: rows, classes, samples, warnings."""
        from lepton_lab.data.card import make_card

        return make_card(self)

    def require_trainable(self) -> None:
        """Refuses what cannot be learnt from.

        Raises:
            DataError: With the sentence of the card's first error, such as a single class or an empty split.
        """
        for remark in self.meta["remarks"]:
            if remark["severity"] == "error":
                raise DataError(remark["message"])

    def raw_sample(self, split: str, row: int) -> Any:
        """What a person would send for a row.

        Args:
            split: "train", "validation" or "test".
            row: Position in that split, from 0.

        Returns:
            Pictures: an array (H, W), or (H, W, C) with several channels. Sequences: an array (T, F). Tables: a
            dict by column name, None where a value is missing. Texts: the text. Interactions: {"user", "item"}.
            Sounds: the bytes of a WAV file. Series: the window (L, F) that is seen.
            `Preparation.from_raw` takes each of them.
        """
        from lepton_lab.data.text_preparation import LanguagePreparation

        stored = self._stored(split, row)
        if self.modality == "audio":
            return self._wav(split, row)
        if self.modality == "table":
            return self._cells(split, row, stored)
        if self.splits[split].raw is not None:
            return self.preparation.raw_item(text_of(self.splits[split].raw[row]), stored)
        if self.modality == "image":
            return np.array(stored[0] if stored.shape[0] == 1 else np.moveaxis(stored, 0, -1))
        if isinstance(self.preparation, LanguagePreparation):
            return self.preparation.tokenizer.decode(stored)
        return np.array(stored)

    def _cells(self, split: str, row: int, stored: np.ndarray) -> dict[str, Any]:
        """A table's row by column name; columns of texts are kept beside the row."""
        from lepton_lab.data.columns import decode_row

        cells = decode_row(stored, self.meta["columns"])
        if (raw := self.splits[split].raw) is not None:
            cells.update(json.loads(text_of(raw[row])))
        return cells

    def _wav(self, split: str, row: int) -> bytes:
        """A sound as a WAV file of the clip's rate: what `Preparation.from_raw` reads to the same bits."""
        from lepton_lab.data.sound import encode_wav

        clips = self.splits[split].raw
        if clips is None:
            raise DataError(f"{self.title} has no clips in its store; load it again.")
        return encode_wav(np.asarray(clips[row]), int(self.meta["sound"]["rate"]))

    def sample_png(self, split: str, row: int) -> bytes:
        """A row's picture as a PNG file.

        Raises:
            DataError: When the dataset has no pictures.
        """
        from lepton_lab.data.image_preparation import ImagePreparation
        from lepton_lab.data.pictures import encode_png

        if not isinstance(self.preparation, ImagePreparation):
            raise DataError(f"{self.title} has no pictures; its rows are a {self.modality}. Use raw_sample instead.")
        return encode_png(self.preparation.to_pixels(self._stored(split, row)))

    def _stored(self, split: str, row: int) -> np.ndarray:
        if split not in self.splits:
            raise UnknownName("split", split, SPLIT_NAMES)
        part = self.splits[split]
        if not 0 <= row < len(part):
            given = f"row {row} of the {split} part of {self.title}"
            raise DataError(f"There is no {given}; it has {len(part):,} rows, counted from 0.")
        return np.asarray(part.inputs[row])
