"""Text in the reader's language."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lepton_lab.words.catalogue import Catalogue, catalogue
from lepton_lab.words.choice import LANGUAGES, language, speaking
from lepton_lab.words.templates import fill

SPOKEN = frozenset({"state", "kind", "noun", "verb", "metric", "part", "task", "modality", "what", "why"})
"""Values that are words of ours rather than data: translated even where they are a single word."""
_MOST = 2_000
"""Characters up to which a text is read for sentences of ours."""
_SENTENCE_END = re.compile(r"(?<=[.?;:])( )(?=[A-Z`%])")


def N_(text: str) -> str:
    """The text as it is, marked for the catalogue: it is said later, where it is shown."""
    return text


def say(sentence: str) -> str:
    """A sentence in the reader's language; what the catalogue does not know stays as it is."""
    return _in_language(sentence, ours=False)


def told(values: dict[str, Any], name: str = "message") -> dict[str, Any]:
    """Values for a page, whose reader's language is not known here: `said` holds a sentence of theirs by language.

    Args:
        values: What the page is told; the sentence in it stays English.
        name: Where the sentence stands.

    Returns:
        The values, with `said` where a catalogue knows the sentence: `{"zh": "..."}`.
    """
    sentence = values.get(name)
    said = {code: known for code in LANGUAGES if (known := _known_as(sentence, code)) not in (None, sentence)}
    return {**values, "said": said} if said else values


def _known_as(sentence: Any, code: str) -> str | None:
    """A sentence in a language; None where there is no sentence, or no catalogue."""
    if not sentence or not isinstance(sentence, str) or code == "en":
        return None
    with speaking(code):
        return say(sentence)


def _(text: str) -> str:
    """The text in the reader's language, marked for the catalogue."""
    return _in_language(text, ours=True)


def _in_language(text: str, *, ours: bool) -> str:
    known = catalogue(language())
    if known is None or not text or len(text) > _MOST:
        return text
    return _said(known, text, ours)


def heads(*names: str) -> tuple[str, ...]:
    """The heads of a table's columns in the reader's language, each marked for the catalogue."""
    return tuple(map(_, names))


@lru_cache(maxsize=2_000)
def _said(known: Catalogue, sentence: str, ours: bool = False) -> str:
    body = sentence.strip()
    if body != sentence:
        before = sentence[: len(sentence) - len(sentence.lstrip())]
        behind = sentence[len(before) + len(body) :]
        return f"{before}{_said(known, body, ours)}{behind}" if body else sentence
    whole = _whole(known, sentence, ours)
    if whole is not None:
        return whole
    lines = sentence.split("\n")
    if len(lines) > 1:
        return "\n".join(_said(known, line) for line in lines)
    parts = _SENTENCE_END.split(sentence)
    if len(parts) == 1:
        return sentence
    said = [_whole(known, part) for part in parts[::2]]
    if not any(said):
        return sentence
    return "".join(
        (each or part) + ("" if each and each[-1:] in "。？；：" else " ")
        for each, part in zip(said, parts[::2], strict=True)
    ).rstrip()


def _whole(known: Catalogue, sentence: str, ours: bool = False) -> str | None:
    """A text that is one message, with or without values; None where it is none."""
    if sentence in known.messages:
        return known.messages[sentence]
    found = known.recognise(sentence, ours=ours)
    if found is None:
        return None
    template, values = found
    said = {name: _value(known, name, value) for name, value in values.items()}
    return fill(known.messages[template.message], said)


def _value(known: Catalogue, name: str, value: str) -> str:
    """A value, said where it is a sentence or a word of ours: a name or a number stays as it is."""
    if name.rstrip("_0123456789") in SPOKEN or " " in value.strip():
        return _said(known, value)
    return value
