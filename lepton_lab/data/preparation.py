"""What happens to a row between the store and the network: the same code in the worker and in the inference server.

A `Preparation` is numpy-only, deterministic, and a plain dict in a bundle. `apply` takes rows as the tensor store
holds them, `from_raw` takes what a person sends (picture files, nested lists, dict rows); both end in the same
arithmetic, element by element, so that the same row gives the same bits whichever way it came, alone or in a batch.

Legend of shapes: N rows, C channels, H height, W width, T steps, F features.
"""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.rows import Ragged
from lepton_lab.errors import DataError

_KINDS = {
    "image": ("lepton_lab.data.image_preparation", "ImagePreparation"),
    "sequence": ("lepton_lab.data.sequence_preparation", "SequencePreparation"),
    "table": ("lepton_lab.data.table_preparation", "TablePreparation"),
    "text": ("lepton_lab.data.text_preparation", "TextPreparation"),
    "language": ("lepton_lab.data.text_preparation", "LanguagePreparation"),
    "interactions": ("lepton_lab.data.interactions", "InteractionPreparation"),
    "audio": ("lepton_lab.data.audio_preparation", "AudioPreparation"),
    "ragged_sequence": ("lepton_lab.data.ragged_sequences", "RaggedSequencePreparation"),
    "series": ("lepton_lab.data.series_preparation", "SeriesPreparation"),
}


class Preparation(ABC):
    """Base of the preparations; `from_dict` finds the right one."""

    kind: ClassVar[str]
    """What `from_dict` finds the class by: mostly the modality that this preparation is for."""

    has_lengths: ClassVar[bool] = False
    """Rows have lengths of their own: the network is called with `(inputs, lengths)`. See `RaggedPreparation`."""

    @property
    def vocabulary(self) -> int:
        """Tokens, with padding and unknown; 0 where rows are no tokens."""
        return 0

    @property
    def letter_groups(self) -> int:
        """Groups of letters, with padding, whose numbers stand beside each token; 0 where none do."""
        return 0

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Values of each category column that is to be embedded; these stand last in a row."""
        return ()

    @property
    def extra(self) -> dict[str, Any]:
        """What else a network may want to know of the rows, ready for JSON."""
        return {}

    @property
    @abstractmethod
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one stored row."""

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row as the network takes it."""

    @abstractmethod
    def read(self, items: Sequence[Any]) -> Any:
        """Reads raw items into the form of stored rows: (N, *stored_shape), or `Ragged`.

        Raises:
            DataError: Names the item and the column or shape that is wrong.
        """

    @abstractmethod
    def _scale(self, stored: np.ndarray) -> np.ndarray:
        """Stored rows, checked for shape, to float32 (N, *input_shape)."""

    @abstractmethod
    def _fields(self) -> dict[str, Any]:
        """The values that `_from_fields` needs, ready for JSON."""

    @classmethod
    @abstractmethod
    def _from_fields(cls, fields: dict[str, Any]) -> Preparation:
        """Builds the preparation from `_fields()`."""

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Prepares rows as the tensor store holds them.

        Args:
            stored: Array (N, *stored_shape).

        Returns:
            A new contiguous array (N, *input_shape): float32, or int64 where rows are tokens or numbers of users
            and items.

        Raises:
            DataError: When the rows have another shape.
        """
        stored = np.asarray(stored)
        if stored.shape[1:] != self.stored_shape:
            raise DataError(
                f"Rows have shape {_shape(stored.shape[1:])}; expected {_shape(self.stored_shape)} "
                f"(with the rows first: {_shape(('N', *self.stored_shape))})."
            )
        return self._scale(stored)

    def from_raw(self, items: Sequence[Any]) -> Any:
        """Prepares what a person sends.

        Args:
            items: One entry per row: bytes of a PNG, JPEG, WebP or BMP file, nested lists of numbers, an array, or
                for tables a dict by column name, a list in column order or a line of CSV.

        Returns:
            float32 array (N, *input_shape), bit-identical to what training made of the same row.

        Raises:
            DataError: Names the item and the column or shape that is wrong.
        """
        _check_is_list(items)
        if not len(items):
            return self.apply(np.empty((0, *self.stored_shape), np.float64))
        return self.apply(self.read(items))

    def signature(self) -> Any:
        """The network's input as the Open Inference Protocol v2 describes it; several inputs as a list."""
        return {"name": "input", "datatype": "FP32", "shape": [-1, *self.input_shape]}

    def raw_item(self, raw: str, stored: np.ndarray) -> Any:
        """A row as a person would send it, from the text that the store keeps beside it.

        Args:
            raw: The row's text, as its material wrote it.
            stored: The stored row.
        """
        return raw

    def to_dict(self) -> dict[str, Any]:
        """The preparation as plain values, ready for JSON."""
        return {"kind": self.kind, **self._fields()}

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Preparation:
        """Builds a preparation from `to_dict()`.

        Raises:
            DataError: When the values do not describe a preparation.
        """
        kind = values.get("kind") if isinstance(values, dict) else None
        if kind not in _KINDS:
            raise DataError(f"The preparation is of the kind {kind!r}; expected one of {', '.join(_KINDS)}.")
        module, name = _KINDS[kind]
        fields = {key: value for key, value in values.items() if key != "kind"}
        try:
            built: Preparation = getattr(import_module(module), name)._from_fields(fields)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"The preparation cannot be read ({error}); make the bundle anew.") from error
        return built


class RaggedPreparation(Preparation):
    """Base of preparations whose rows have lengths of their own.

    `stored_shape` is the shape of one step or token; `read` gives `Ragged` rows, `apply` takes their values.
    """

    has_lengths: ClassVar[bool] = True

    def from_raw(self, items: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Prepares what a person sends.

        Returns:
            The rows, padded with zeros to the longest (N, T, ...), and their lengths, int64 (N,); bit-identical to
            what training made of the same rows.

        Raises:
            DataError: Names the item and what is wrong with it.
        """
        _check_is_list(items)
        if not len(items):
            empty = self.apply(np.empty((0, *self.stored_shape), np.float64))
            return np.empty((0, 1, *empty.shape[1:]), empty.dtype), np.empty(0, np.int64)
        rows = self.read(items)
        prepared = Ragged(self.apply(rows.values), rows.offsets)
        return prepared.padded(np.arange(len(rows))), prepared.lengths

    def signature(self) -> list[dict[str, Any]]:
        """The network's inputs as the Open Inference Protocol v2 describes them: rows and their lengths."""
        datatype = "INT64" if self.vocabulary else "FP32"
        rows = {"name": "input", "datatype": datatype, "shape": [-1, -1, *self.input_shape[1:]]}
        return [rows, {"name": "lengths", "datatype": "INT64", "shape": [-1]}]


def _check_is_list(items: Any) -> None:
    if isinstance(items, str | bytes | bytearray | dict) or not isinstance(items, Sequence | np.ndarray):
        raise DataError(f"Expected a list of items, got {type(items).__name__}; put a single item in a list.")


def numbers(item: Any, where: str) -> np.ndarray:
    """An item's nested lists as a float32 array, every value a finite number.

    Raises:
        DataError: When the lists are ragged, too deep, or hold something else than finite numbers.
    """
    try:
        array = np.asarray(item)
        with np.errstate(over="ignore"):  # a number too large for float32 becomes infinity and is refused below
            array = array.astype(np.float32) if array.dtype.kind in "biuf" else np.empty(0)
    except (ValueError, TypeError, RecursionError):
        raise DataError(f"{where}: the nested lists are not all of the same length.") from None
    if not array.size:
        raise DataError(f"{where}: expected nested lists of numbers, got {_short(item)}.")
    if not np.isfinite(array).all():
        raise DataError(f"{where}: every value must be a finite number; found NaN or infinity.")
    return array


def decode_uri(uri: str, where: str, media: str) -> bytes:
    """The content of a base64 data URI.

    Args:
        uri: "data:<media>;base64,<content>".
        where: The item, for the error.
        media: The media type that the error shows.

    Raises:
        DataError: When it is no such URI.
    """
    _, comma, content = uri.partition(";base64,")
    try:
        if not comma:
            raise ValueError
        return base64.b64decode(content, validate=True)
    except (ValueError, binascii.Error):
        raise DataError(f"{where}: the data URI is not valid base64; expected data:{media};base64,....") from None


def _shape(shape: Sequence[Any]) -> str:
    return "x".join(str(size) for size in shape) or "a single number"


def shape_text(shape: Sequence[Any]) -> str:
    """A shape as a person writes it: "3x28x28"."""
    return _shape(shape)


def _short(item: Any) -> str:
    text = repr(item)
    return text if len(text) <= 60 else text[:57] + "..."
