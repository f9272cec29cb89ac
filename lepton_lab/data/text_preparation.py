"""Texts: cut into tokens. Numpy and `tokenizers` alone, the same in the worker and in the inference server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.preparation import Preparation, RaggedPreparation
from lepton_lab.data.rows import Ragged
from lepton_lab.data.tokens import Tokenizer
from lepton_lab.errors import DataError

MAX_CHARACTERS = 1_000_000
"""A single text of a request may not be longer."""


@dataclass(frozen=True)
class TextPreparation(RaggedPreparation):
    """Tokens of texts.

    Attributes:
        tokenizer: What a token is.
        max_length: Tokens after which a text is cut.
        field: Name of the texts' column; a row may be a dict with it.
    """

    kind: ClassVar[str] = "text"
    tokenizer: Tokenizer
    max_length: int
    field: str = "text"

    @property
    def vocabulary(self) -> int:
        return self.tokenizer.size

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.max_length,)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        return np.array(stored, np.int64)

    def read(self, items: Sequence[Any]) -> Ragged:
        return self.encode([read_text(item, f"Item {number}", self.field) for number, item in enumerate(items)])

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Tokens of texts, int32, cut to `max_length`."""
        return cut(self.tokenizer.encode(texts), self.max_length)

    def _fields(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer.to_dict(), "max_length": self.max_length, "field": self.field}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> TextPreparation:
        if int(fields["max_length"]) < 1:
            raise ValueError("its longest text has no token")
        return cls(Tokenizer.from_dict(fields["tokenizer"]), int(fields["max_length"]), str(fields["field"]))


@dataclass(frozen=True)
class LanguagePreparation(Preparation):
    """Windows on a corpus: what stands before the token that is to be foretold.

    Attributes:
        tokenizer: What a token is.
        window: Tokens of a window.
    """

    kind: ClassVar[str] = "language"
    tokenizer: Tokenizer
    window: int

    @property
    def vocabulary(self) -> int:
        return self.tokenizer.size

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (self.window,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.window,)

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """Tokens as the network takes them: int64, of the shape that they came in."""
        return np.array(stored, np.int64)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        return self.apply(stored)

    def read(self, items: Sequence[Any]) -> np.ndarray:
        """The last tokens of each text, int32 (N, T), T at most `window`; shorter ones are followed by padding."""
        rows = self.tokenizer.encode([read_text(item, f"Item {number}", "text") for number, item in enumerate(items)])
        last = Ragged.of([row[-self.window :] for row in rows])
        return last.padded(np.arange(len(last)))

    def signature(self) -> dict[str, Any]:
        return {"name": "input", "datatype": "INT64", "shape": [-1, -1]}

    def _fields(self) -> dict[str, Any]:
        return {"tokenizer": self.tokenizer.to_dict(), "window": self.window}

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> LanguagePreparation:
        if int(fields["window"]) < 1:
            raise ValueError("its window has no token")
        return cls(Tokenizer.from_dict(fields["tokenizer"]), int(fields["window"]))


def cut(rows: Ragged, max_length: int) -> Ragged:
    """Rows of at most `max_length` tokens."""
    if int(rows.lengths.max(initial=0)) <= max_length:
        return rows
    return Ragged.of([row[:max_length] for row in rows])


def read_text(item: Any, where: str, field: str) -> str:
    """The text of an item: a text, or a dict that has it under `field` (or as its only value).

    Raises:
        DataError: Names the item and what it is instead.
    """
    if isinstance(item, Mapping):
        if field not in item and len(item) != 1:
            raise DataError(f"{where} has no {field!r}; expected a text, or a dict with the text as {field!r}.")
        item = item[field] if field in item else next(iter(item.values()))
    if isinstance(item, list | tuple) and len(item) == 1:
        item = item[0]
    if not isinstance(item, str):
        raise DataError(f"{where} is a {type(item).__name__}; expected a text.")
    if len(item) > MAX_CHARACTERS:
        raise DataError(f"{where} has {len(item):,} characters; expected at most {MAX_CHARACTERS:,}.")
    return item
