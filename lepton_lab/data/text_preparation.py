"""Texts: cut into tokens. Numpy and `tokenizers` alone, the same in the worker and in the inference server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.letter_groups import LetterGroups
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
        fields: Names of the texts' columns; a row may be a dict with them. Several are joined by a line break.
        groups: How words are looked into; then a token is its number and those of its groups of letters. None: a
            token is its number alone.
    """

    kind: ClassVar[str] = "text"
    tokenizer: Tokenizer
    max_length: int
    fields: tuple[str, ...] = ("text",)
    groups: LetterGroups | None = None

    @property
    def vocabulary(self) -> int:
        return self.tokenizer.size

    @property
    def letter_groups(self) -> int:
        return 0 if self.groups is None else self.groups.num_different + 1

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return () if self.groups is None else (1 + self.groups.most,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.max_length, *self.stored_shape)

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        return np.array(stored, np.int64)

    def read(self, items: Sequence[Any]) -> Ragged:
        return self.encode([read_text(item, f"Item {number}", self.fields) for number, item in enumerate(items)])

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Tokens of texts, int32, cut to `max_length`."""
        tokens = cut(self.tokenizer.encode(texts), self.max_length)
        return tokens if self.groups is None else self.groups.beside(tokens, texts, self.tokenizer)

    def _fields(self) -> dict[str, Any]:
        return {
            "tokenizer": self.tokenizer.to_dict(),
            "max_length": self.max_length,
            "fields": list(self.fields),
            "letter_groups": None if self.groups is None else self.groups.to_dict(),
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> TextPreparation:
        if int(fields["max_length"]) < 1:
            raise ValueError("its longest text has no token")
        names = tuple(str(name) for name in fields["fields"])
        tokenizer, groups = Tokenizer.from_dict(fields["tokenizer"]), fields.get("letter_groups")
        if groups is not None and tokenizer.level != "words":
            raise ValueError("its tokens are no words, and yet are looked into")
        read = None if groups is None else LetterGroups.from_dict(groups)
        return cls(tokenizer, int(fields["max_length"]), names, read)

    def raw_item(self, raw: str, stored: np.ndarray) -> Any:
        return json.loads(raw) if len(self.fields) > 1 else raw


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
        rows = self.tokenizer.encode([read_text(item, f"Item {number}") for number, item in enumerate(items)])
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


def joined(texts: Sequence[str | None]) -> str:
    """Texts of several columns as one; a missing one leaves nothing behind."""
    return "\n".join(text for text in texts if text)


def read_text(item: Any, where: str, fields: tuple[str, ...] = ("text",)) -> str:
    """The text of an item: a text, or a dict or list that has the texts of all fields.

    Raises:
        DataError: Names the item and what it is instead.
    """
    names = " and ".join(repr(field) for field in fields)
    if isinstance(item, Mapping):
        if not any(field in item for field in fields) and len(item) != 1:
            raise DataError(f"{where} has no {names}; expected a text, or a dict with {names}.")
        item = [item.get(field) for field in fields] if any(field in item for field in fields) else [*item.values()]
    if isinstance(item, list | tuple) and len(item) in (1, len(fields)) and any(cell is not None for cell in item):
        strange = next((cell for cell in item if cell is not None and not isinstance(cell, str)), "")
        item = joined(item) if strange == "" else strange
    if not isinstance(item, str):
        raise DataError(f"{where} is a {type(item).__name__}; expected a text.")
    if len(item) > MAX_CHARACTERS:
        raise DataError(f"{where} has {len(item):,} characters; expected at most {MAX_CHARACTERS:,}.")
    return item
