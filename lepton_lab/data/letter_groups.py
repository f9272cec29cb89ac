"""Words as groups of their letters, so that a word which training never saw still tells what it is made of.

After Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information" (https://arxiv.org/abs/1607.04606): each
run of a few letters, the word's edges marked, has a number by a hash, so that no list of them has to be kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from lepton_lab.data.rows import Ragged
from lepton_lab.data.tokens import Tokenizer

MOST_TOKENS = 1_000_000
"""In longer training parts few words are rare, and the groups take the memory of two dozen tokens for each one."""

LEAST_DIFFERENT, MOST_DIFFERENT = 500, 8_000
"""Numbers that groups share: with more a network grows, with fewer too many groups have the same one."""

_LONGEST_WORD = 64
"""Letters of a word that are looked at; what is longer is no word."""


@dataclass(frozen=True)
class LetterGroups:
    """How words are looked into.

    Attributes:
        num_different: Numbers that groups share, from 1 on; 0 is padding.
        shortest: Letters of the shortest group.
        longest: Letters of the longest one.
        most: Groups of a word that are looked at, at most; the shorter ones first.
    """

    num_different: int = MOST_DIFFERENT
    shortest: int = 3
    longest: int = 5
    most: int = 23

    @classmethod
    def fitting(cls, words: Sequence[str]) -> LetterGroups:
        """As many numbers as these words have groups, within limits: few words need no large network."""
        whole = cls(num_different=2**31 - 1)
        found = {number for word in words for number in _numbers(whole, word[:_LONGEST_WORD])}
        return cls(num_different=min(MOST_DIFFERENT, max(LEAST_DIFFERENT, len(found))))

    def beside(self, tokens: Ragged, texts: Sequence[str], tokenizer: Tokenizer) -> Ragged:
        """Each token (a number) with the numbers of its groups, int32 (1 + most,), filled with zeros.

        Args:
            tokens: Of each text, which may have been cut.
            texts: The same texts.
            tokenizer: What made the tokens: words.
        """
        places: dict[str, int] = {}
        lengths = tokens.lengths.tolist()
        words = chain.from_iterable(tokenizer.words(text, length) for text, length in zip(texts, lengths, strict=True))
        of_token = np.array([places.setdefault(word, len(places)) for word in words], np.int64)
        groups = np.zeros((len(places), self.most), np.int32)
        for place, word in enumerate(places):
            found = _numbers(self, word[:_LONGEST_WORD])
            groups[place, : len(found)] = found
        return Ragged(np.concatenate([tokens.values[:, None], groups[of_token]], axis=1), tokens.offsets)

    def to_dict(self) -> dict[str, int]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LetterGroups:
        """Builds it from `to_dict()`.

        Raises:
            ValueError: The values make no groups.
        """
        read = cls(**{name: int(values[name]) for name in ("num_different", "shortest", "longest", "most")})
        if not (read.num_different > 0 and 0 < read.shortest <= read.longest <= _LONGEST_WORD and 0 < read.most <= 256):
            raise ValueError("its groups of letters have no length or no number")
        return read


@lru_cache(maxsize=65_536)
def _numbers(how: LetterGroups, word: str) -> tuple[int, ...]:
    marked = f"<{word}>"
    found: dict[int, None] = {}
    for length in range(how.shortest, min(how.longest, len(marked) - 1) + 1):
        for start in range(len(marked) - length + 1):
            letters = marked[start : start + length].encode("utf-8", "surrogatepass")
            found[zlib.crc32(letters) % how.num_different + 1] = None
            if len(found) == how.most:
                return tuple(found)
    return tuple(found)
