"""The messages of a language, read from its .po file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import resources

from lepton_lab.words.templates import Template, is_template, template_of

_FILES = {"zh": "locale/zh_CN/LC_MESSAGES/lepton_lab.po"}


class Catalogue:
    """Messages and what they are called in one language.

    Args:
        messages: Translations by English message; values stand in braces on both sides.
    """

    def __init__(self, messages: dict[str, str]) -> None:
        self.messages = messages

    @cached_property
    def templates(self) -> list[Template]:
        """The messages that have values, those with the most words of their own first."""
        found = [template_of(message) for message in self.messages if is_template(message)]
        return sorted(found, key=lambda template: -template.weight)

    def recognise(self, sentence: str, *, ours: bool = False) -> tuple[Template, dict[str, str]] | None:
        """The message that a sentence was made from, and its values; None for a sentence that is none of ours.

        Args:
            sentence: The whole sentence.
            ours: Whether it is known to be ours: a message with hardly a word of its own counts then, too.
        """
        for template in self.templates:
            values = template.values_of(sentence) if ours or template.is_telling else None
            if values is not None:
                return template, values
        return None


@cache
def catalogue(language: str) -> Catalogue | None:
    """The catalogue of a language; None for English, which needs none."""
    if language not in _FILES:
        return None
    text = resources.files("lepton_lab.words").joinpath(_FILES[language]).read_text(encoding="utf-8")
    return Catalogue({message: said for message, said in entries(text) if message and said})


def entries(text: str) -> Iterator[tuple[str, str]]:
    """(message, translation) of each entry of a .po file; fuzzy and obsolete ones are left out."""
    for block in text.split("\n\n"):
        parts: dict[str, str] = {}
        key, is_fuzzy = "", False
        for line in block.splitlines():
            if line.startswith("#"):
                is_fuzzy = is_fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            if not line.startswith('"'):
                key, _, line = line.partition(" ")
            parts[key] = parts.get(key, "") + ast.literal_eval(line)
        if "msgid" in parts and not is_fuzzy:
            yield parts["msgid"], parts.get("msgstr", "")
