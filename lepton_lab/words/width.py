"""Text in columns: a Chinese character is two places wide, and a Chinese line may be broken between any two."""

from __future__ import annotations

import re
import unicodedata

_PIECES = re.compile(r"\s+|[\u2e80-\u9fff\uff00-\uff60\u3000-\u303f]|[^\s\u2e80-\u9fff\uff00-\uff60\u3000-\u303f]+")
_NEVER_FIRST, _NEVER_LAST = frozenset("，。；：？！、）》”’"), "（《“‘"


def columns(text: str) -> int:
    """Places that a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def left(text: str, width: int) -> str:
    """The text with blanks behind it, up to a width in places."""
    return text + " " * (width - columns(text))


def right(text: str, width: int) -> str:
    """The text with blanks before it, up to a width in places."""
    return " " * (width - columns(text)) + text


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most so many places; none begins with a full stop or ends with a bracket."""
    lines, line = [], ""
    for piece in _PIECES.findall(text):
        if columns(line + piece.rstrip()) > width and line.strip() and piece not in _NEVER_FIRST:
            whole = line.rstrip().rstrip(_NEVER_LAST)
            lines.append(whole.rstrip())
            line = line[len(whole) :].strip()
        line += " " if piece.isspace() and line else piece.strip()
    return [*lines, line.rstrip()] if line.strip() else lines
