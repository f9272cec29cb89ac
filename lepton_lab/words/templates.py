"""Messages with values: how one is recognised in a finished sentence, and filled in again.

A message is what an f-string says, with a name for each value: `f"row is {row!r}"` is `row is {row}`. Its words, in
their order, tell it from all others; a test fills every message in and asks for it back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_FIELD = re.compile(r"\{([a-z_][a-z_0-9]*)\}")
_CHINESE_END, _CHINESE_START = (
    re.compile("[\u3000-\u9fff\uff00-\uff60] ?$"),
    re.compile(" ?[\u3000-\u9fff\uff00-\uff60]"),
)
_IDEOGRAPH, _LATIN = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z0-9-]")
_MORE = r"((?:(?<!,)[ .;].*?)?)"
"""A value that follows another one without a word between: something more to say, or nothing."""
_LEAST_LETTERS, _ENOUGH_LETTERS = 2, 5
"""Letters that a message must have of its own to be recognised: in a text that is ours for sure, and in any text."""


@dataclass(frozen=True)
class Template:
    """A message with values."""

    message: str
    pieces: tuple[str, ...]
    """What stands before, between and behind the values."""
    names: tuple[str, ...]

    @property
    def weight(self) -> int:
        """How much of it is its own: the longest match is the right one."""
        return sum(map(len, self.pieces))

    @cached_property
    def is_telling(self) -> bool:
        """Whether it has enough words of its own to be recognised in a sentence of unknown origin."""
        return _letters("".join(self.pieces)) >= _ENOUGH_LETTERS

    @cached_property
    def anchor(self) -> str:
        """Its longest piece, which a sentence must have."""
        return max(self.pieces, key=len)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The message as an expression with a group for each value."""
        said = re.escape(self.pieces[0])
        for index, piece in enumerate(self.pieces[1:]):
            is_more = index and not self.pieces[index]
            said += (_MORE if is_more else "(.*?)") + re.escape(piece)
        return re.compile(said, re.DOTALL)

    def values_of(self, sentence: str) -> dict[str, str] | None:
        """The values of a sentence that was made from this message, else None."""
        if self.anchor not in sentence or not self._has_all(sentence):
            return None
        found = self.pattern.fullmatch(sentence)
        if not found or any(map(_leaves_its_brackets, self.pieces, found.groups())):
            return None
        return dict(zip(self.names, found.groups(), strict=True))

    def _has_all(self, sentence: str) -> bool:
        """Whether all pieces stand in the sentence in their order: linear, so that the expression need not search."""
        first, *middle, last = self.pieces
        at, end = len(first), len(sentence) - len(last)
        if not (sentence.startswith(first) and sentence.endswith(last)):
            return False
        for piece in middle:
            at = sentence.find(piece, at) + len(piece)
            if at < len(piece):
                return False
        return at <= end


def template_of(message: str) -> Template:
    """A message, taken apart."""
    parts = _FIELD.split(message)
    return Template(message, tuple(map(plain, parts[::2])), tuple(parts[1::2]))


def is_template(message: str) -> bool:
    """Whether a message has values, and enough words of its own to be recognised by."""
    own = _FIELD.sub("", message)
    return own != message and _letters(own) >= _LEAST_LETTERS


def _leaves_its_brackets(before: str, value: str) -> bool:
    """Whether a value that stands in brackets goes on behind their end: what matched is two sentences."""
    if not before.endswith("("):
        return False
    depth = 0
    for sign in value:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return True
    return False


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def fields_of(message: str) -> list[str]:
    """The names of its values, sorted."""
    return sorted(_FIELD.findall(message))


def fill(message: str, values: dict[str, str]) -> str:
    """The message with its values: no blank between two Chinese characters, one between such a character and others."""
    said = ""
    for index, part in enumerate(_FIELD.split(message)):
        text = values[part] if index % 2 else plain(part)
        if _CHINESE_END.search(said) and _CHINESE_START.match(text):
            said = said.rstrip(" ") + text.lstrip(" ")
        elif (_IDEOGRAPH.match(said[-1:]) and _LATIN.match(text)) or (
            _LATIN.match(said[-1:]) and _IDEOGRAPH.match(text)
        ):
            said += " " + text
        else:
            said += text
    return said


def plain(piece: str) -> str:
    """A piece of a message as it is shown: doubled braces are one brace."""
    return piece.replace("{{", "{").replace("}}", "}")
