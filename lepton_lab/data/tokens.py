"""Texts as numbers: words, pieces of words (byte-pair encoding) or characters. Hugging Face `tokenizers`, no torch.

The same code runs in training and in the inference server; a tokenizer is a plain dict in a bundle. Token 0 is padding,
token 1 stands for whatever the training part did not have.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.rows import Ragged
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Engine

PAD, UNKNOWN = 0, 1
_SPECIAL = ("[PAD]", "[UNK]")
LEVELS = ("words", "bpe", "characters")
DEFAULT_SIZE = {"words": 20_000, "bpe": 8_000, "characters": 20_000}
_TEXTS_AT_ONCE = 1_000
_RARE_FROM_ROWS = 1_000
"""From so many training texts on, a word that stands in them only once is left unknown."""


@dataclass(frozen=True)
class Tokenizer:
    """What a token is, and which ones are known.

    Attributes:
        level: "words" (small letters, punctuation apart), "bpe" (pieces of bytes) or "characters".
        vocabulary: The tokens from number 2 on.
        merges: Byte-pair encoding: the pairs that are joined, in order.
    """

    level: str
    vocabulary: tuple[str, ...]
    merges: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Tokens with padding and unknown."""
        return len(self.vocabulary) + len(_SPECIAL)

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Tokens of each text, int32; an empty text is one unknown token, so that no row is without length."""
        if not len(texts):
            return Ragged(np.empty(0, np.int32), np.zeros(1, np.int64))
        rows = self._characters(texts) if self.level == "characters" else self._pieces(texts)
        return Ragged.of([row if len(row) else np.array([UNKNOWN], np.int32) for row in rows])

    def words(self, text: str, most: int) -> list[str]:
        """The first words of a text as `encode` cuts them, at level "words": normalised, in small letters.

        An empty text is one empty word, as it is one token.
        """
        pieces = self._engine.pre_tokenizer.pre_tokenize_str(self._engine.normalizer.normalize_str(text))
        return [word for word, _ in pieces[:most]] or [""]

    def decode(self, tokens: np.ndarray) -> str:
        """A text that these tokens could stand for; characters come back as they were."""
        places = [int(token) for token in np.asarray(tokens) if int(token) != PAD]
        if self.level == "bpe":
            return str(self._engine.decode(places))
        words = [self.vocabulary[place - 2] if place >= 2 else "\N{REPLACEMENT CHARACTER}" for place in places]
        return ("" if self.level == "characters" else " ").join(words)

    def _pieces(self, texts: Sequence[str]) -> list[np.ndarray]:
        # A few at a time: an encoding holds far more than its numbers.
        return [
            np.array(encoded.ids, np.int32)
            for start in range(0, len(texts), _TEXTS_AT_ONCE)
            for encoded in self._engine.encode_batch(list(texts[start : start + _TEXTS_AT_ONCE]))
        ]

    def _characters(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self._code_to_token(_codes(text)) for text in texts]

    def _code_to_token(self, codes: np.ndarray) -> np.ndarray:
        known, numbers = self._sorted_codes
        if not len(known):
            return np.full(len(codes), UNKNOWN, np.int32)
        places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        found: np.ndarray = np.where(known[places] == codes, numbers[places], UNKNOWN).astype(np.int32)
        return found

    @cached_property
    def _sorted_codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Code points of the vocabulary in order, and the token of each."""
        codes = np.array([ord(character) for character in self.vocabulary], np.uint32)
        order = np.argsort(codes, kind="stable")
        return codes[order], (order + 2).astype(np.int32)

    @cached_property
    def _engine(self) -> Engine:
        from tokenizers import Tokenizer as Engine
        from tokenizers import models

        numbers = {token: place for place, token in enumerate((*_SPECIAL, *self.vocabulary))}
        if self.level == "words":
            return _dressed(Engine(models.WordLevel(numbers, unk_token=_SPECIAL[UNKNOWN])), self.level)
        return _dressed(Engine(models.BPE(numbers, list(self.merges), unk_token=_SPECIAL[UNKNOWN])), self.level)

    def to_dict(self) -> dict[str, Any]:
        """The tokenizer as plain values, ready for JSON."""
        return {
            "level": self.level,
            "vocabulary": list(self.vocabulary),
            "merges": [list(pair) for pair in self.merges],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tokenizer:
        """Builds a tokenizer from `to_dict()`.

        Raises:
            ValueError: The values are not those of a tokenizer.
        """
        level, vocabulary = str(values["level"]), tuple(str(token) for token in values["vocabulary"])
        merges = tuple((str(left), str(right)) for left, right in values["merges"])
        if level not in LEVELS or len(set(vocabulary)) < len(vocabulary):
            raise ValueError("its tokenizer has an unknown level or a token twice")
        if level == "characters" and any(len(token) != 1 for token in vocabulary):
            raise ValueError("its tokenizer of characters has a longer token")
        return cls(level, vocabulary, merges)


def fit_tokenizer(texts: Sequence[str], level: str, size: int | None = None) -> Tokenizer:
    """Finds the tokens of the training texts.

    Args:
        texts: Texts of the training part alone.
        level: "words", "bpe" or "characters".
        size: The most tokens, padding and unknown among them; the most frequent are kept.

    Raises:
        DataError: There is not a single token in the texts.
    """
    size = size or DEFAULT_SIZE[level]
    if level == "characters":
        fitted = Tokenizer(level, _frequent_characters(texts, size - len(_SPECIAL)))
    else:
        fitted = _trained(texts, level, size)
    if not fitted.vocabulary:
        raise DataError("The texts of the training part are empty; there is nothing to learn from.")
    return fitted


def choose_level(texts: Sequence[str], asked: str = "auto") -> str:
    """What a token is: words, or characters where most texts are a single word."""
    if asked != "auto":
        return asked
    sample = texts[:: max(1, len(texts) // 2_000)]
    num_words = [len(text.split()) for text in sample]
    return "characters" if float(np.mean(num_words or [0])) < 1.5 else "words"


def _frequent_characters(texts: Sequence[str], size: int) -> tuple[str, ...]:
    codes, counts = np.unique(_codes("".join(texts)), return_counts=True)
    kept = np.sort(codes[np.argsort(-counts, kind="stable")[:size]])
    return tuple(chr(code) for code in kept.tolist())


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _trained(texts: Sequence[str], level: str, size: int) -> Tokenizer:
    from tokenizers import Tokenizer as Engine
    from tokenizers import models, pre_tokenizers, trainers

    trainer: Any
    if level == "words":
        engine = _dressed(Engine(models.WordLevel(unk_token=_SPECIAL[UNKNOWN])), level)
        rare = 2 if len(texts) >= _RARE_FROM_ROWS else 1
        trainer = trainers.WordLevelTrainer(
            vocab_size=size, min_frequency=rare, special_tokens=list(_SPECIAL), show_progress=False
        )
    else:
        engine = _dressed(Engine(models.BPE(unk_token=_SPECIAL[UNKNOWN])), level)
        trainer = trainers.BpeTrainer(
            vocab_size=max(size, 256 + len(_SPECIAL)),
            min_frequency=2,
            special_tokens=list(_SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    engine.train_from_iterator(texts, trainer, length=len(texts))
    model = json.loads(engine.to_str())["model"]
    numbers = sorted((place, token) for token, place in model["vocab"].items())
    merges = tuple((left, right) for left, right in model.get("merges", []))
    return Tokenizer(level, tuple(token for _, token in numbers[len(_SPECIAL) :]), merges)


def _dressed(engine: Engine, level: str) -> Engine:
    """What happens to a text before its tokens are looked up."""
    from tokenizers import decoders, normalizers, pre_tokenizers

    if level == "words":
        engine.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        engine.normalizer = normalizers.NFC()
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        engine.decoder = decoders.ByteLevel()
    return engine
