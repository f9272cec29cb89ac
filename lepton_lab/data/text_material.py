"""Texts with a label each, and one long text to learn a language from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.forms import save_part, save_series, text_rows
from lepton_lab.data.letter_groups import MOST_TOKENS, LetterGroups
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.data.text_preparation import LanguagePreparation, TextPreparation, cut
from lepton_lab.data.tokens import Tokenizer, choose_level, fit_tokenizer
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec, Problem

_MAX_LENGTH = 512
_SHORT = 64
_PIECE_CHARACTERS = 50_000
DEFAULT_WINDOW = {"characters": 128, "words": 64, "bpe": 64}


@dataclass
class TextMaterial(Material):
    """Texts with labels.

    Attributes:
        texts: N texts.
        fields: What the texts' columns are called.
        raw_texts: What a person would send for each row, where that is not the text itself.
        columns: What the card says of the columns, where the texts are a table's.
        details: Further facts for the description.
    """

    texts: list[str] = field(default_factory=list)
    fields: tuple[str, ...] = ("text",)
    raw_texts: list[str] | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    _tokens: Ragged | None = None

    def __post_init__(self) -> None:
        self.raw = text_rows(self.texts if self.raw_texts is None else self.raw_texts)

    @property
    def modality(self) -> str:
        return "text"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        trained = [self.texts[row] for row in train_rows]
        level = choose_level(trained, spec.tokenizer)
        tokenizer = fit_tokenizer(trained, level, spec.vocabulary_size)
        tokens = tokenizer.encode(self.texts)
        groups = _choose_letter_groups(spec, tokenizer, int(tokens.lengths[train_rows].sum()))
        length = spec.max_length or _choose_length(tokens.lengths[train_rows])
        if num_cut := int((tokens.lengths > length).sum()):
            message = (
                f"{num_cut:,} of {len(self.texts):,} texts are longer than {length:,} tokens and are cut there; "
                "max_length sets another length."
            )
            self.remarks.append(Remark("texts_cut", "note", message))
        tokens = cut(tokens, length)
        self._tokens = tokens if groups is None else groups.beside(tokens, self.texts, tokenizer)
        return TextPreparation(tokenizer, length, self.fields, groups)

    def write(self, path: Path, rows: np.ndarray) -> None:
        if self._tokens is None:
            raise DataError("The texts have no tokens yet; fit the preparation first.")
        save_part(path, self._tokens, rows)

    def describe(self) -> dict[str, Any]:
        return {**({"columns": self.columns} if self.columns else {}), **self.details}


def _choose_letter_groups(spec: DataSpec, tokenizer: Tokenizer, num_tokens: int) -> LetterGroups | None:
    """How to look into the words of a training part of so many tokens."""
    level = tokenizer.level
    if spec.letter_groups == "on" and level != "words":
        raise SpecError(f"data: letter_groups are of words, and tokens are {level} here; leave letter_groups out.")
    fits = level == "words" and num_tokens <= MOST_TOKENS
    is_on = spec.letter_groups == "on" or (spec.letter_groups == "auto" and fits)
    return LetterGroups.fitting(tokenizer.vocabulary) if is_on else None


def _choose_length(lengths: np.ndarray) -> int:
    """The longest text where all are short; else what 99 of 100 texts fit into, at most 512 tokens."""
    longest = int(lengths.max(initial=1))
    if longest <= _SHORT:
        return max(longest, 2)
    return int(np.clip(np.ceil(np.quantile(lengths, 0.99)), _SHORT, _MAX_LENGTH))


@dataclass
class LanguageMaterial(Material):
    """Windows on one long text; each part is a stretch of it, and no window reaches over a border.

    Attributes:
        preparation: Fitted on the first stretch, the training part.
        windows: What the network sees.
        details: Further facts for the description.
    """

    preparation: LanguagePreparation | None = None
    windows: Windows | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        return "text"

    def split(self, spec: DataSpec) -> dict[str, np.ndarray]:
        return dict(self.official)

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        return self._fitted()

    def write(self, path: Path, rows: np.ndarray) -> None:
        if self.windows is None:
            raise DataError("The corpus has no windows yet.")
        save_series(path.parent, self.windows.series)
        save_part(path, self.windows, rows)

    def problem(self, preparation: Preparation) -> Problem:
        fitted = self._fitted()
        shape = (fitted.window,)
        return Problem("language", "text", shape, (fitted.window, fitted.vocabulary), vocabulary=fitted.vocabulary)

    def describe(self) -> dict[str, Any]:
        return self.details

    def _fitted(self) -> LanguagePreparation:
        if self.preparation is None:
            raise DataError("The corpus has no tokens yet.")
        return self.preparation


def language_material(
    text: str, spec: DataSpec, title: str, stretches: Sequence[str] | None = None
) -> LanguageMaterial:
    """A corpus as windows.

    Args:
        text: The corpus.
        spec: Fractions, tokenizer, vocabulary_size and window.
        title: How to call it in an error.
        stretches: The source's own training, validation and test text, in this order; then `text` is not looked at.

    Raises:
        DataError: The corpus is too short for a window in its training part.
    """
    parts = list(stretches or _stretches(text, spec))
    level = "characters" if spec.tokenizer == "auto" else spec.tokenizer
    tokenizer = fit_tokenizer(_pieces(parts[0], level), level, spec.vocabulary_size)
    tokens = [tokenizer.encode(_pieces(part, level)).values if part else np.empty(0, np.int32) for part in parts]
    window = spec.window or DEFAULT_WINDOW[level]
    if len(tokens[0]) <= window:
        raise DataError(
            f"{title} has {len(tokens[0]):,} tokens to train on; expected more than one window of {window}. "
            "Give a longer text, or a smaller window."
        )
    ends = np.cumsum([len(part) for part in tokens])
    begins = ends - [len(part) for part in tokens]
    starts = [np.arange(begin, end - window, window) for begin, end in zip(begins, ends, strict=True)]
    borders = np.cumsum([0, *[len(part) for part in starts]])
    names = ("train", "validation", "test")
    series, places = np.concatenate(tokens), np.concatenate(starts).astype(np.int64)
    whole = text if stretches is None else "".join(stretches)
    details = {"num_characters": len(whole), "num_different_characters": len(set(whole))}
    details["num_tokens"] = len(series)
    return LanguageMaterial(
        classes=[],
        labels=Windows(series, places + 1, window),
        row_ids=places,
        official={name: np.arange(borders[place], borders[place + 1]) for place, name in enumerate(names)},
        task="language",
        preparation=LanguagePreparation(tokenizer, window),
        windows=Windows(series, places, window),
        details={"details": details, "task_reason": f"one text, learnt by {level}: the next one is foretold"},
    )


def _pieces(text: str, level: str) -> list[str]:
    """A long text in pieces that end with a line, so that no piece costs much memory; words do not cross lines."""
    if level == "characters":
        return [text]
    pieces, begin = [], 0
    while begin < len(text):
        end = text.find("\n", begin + _PIECE_CHARACTERS) + 1 or len(text)
        pieces.append(text[begin:end])
        begin = end
    return [piece for piece in pieces if piece.strip()]


def _stretches(text: str, spec: DataSpec) -> list[str]:
    """The training text first, then what is watched, then the test text."""
    test = len(text) - round(len(text) * spec.test_fraction)
    train = test - round(test * spec.validation_fraction)
    return [text[:train], text[train:test], text[test:]]
