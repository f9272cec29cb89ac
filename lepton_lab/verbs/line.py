"""Reads a verb's line into typed values, and writes the line for given values; `parse(write(x)) == x`.

The parser is our own rather than argparse because a notebook needs errors as one sentence that says what to type
instead, options that depend on a positional word (`model cnn`), and never an exit.
"""

from __future__ import annotations

import ast
import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.verbs.options import Option, find
from lepton_lab.verbs.table import options_for, verb_named, verb_of
from lepton_lab.verbs.verb import Verb


@dataclass(frozen=True)
class Request:
    """A verb with the values that were given; what was left out is not in `values`."""

    verb: Verb
    values: dict[str, Any] = field(default_factory=dict)
    cell: str | None = None
    wants_help: bool = False

    def perform(self, session: Any) -> Any:
        """Does it, and returns the object to show."""
        return self.verb.call(session, dict(self.values), self.cell)


def split(line: str) -> list[str]:
    """The words of a line, as a shell would split them.

    Raises:
        SpecError: If a quote is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError:
        raise SpecError(f"A quote is not closed in: {line.strip()}") from None


def parse(line: str | Sequence[str], cell: str | None = None) -> Request:
    """The request that a line (or its words) stands for.

    Raises:
        UnknownName: If there is no such verb.
        SpecError: If an option or a word is not one of this verb, or has the wrong type.
    """
    words = split(line) if isinstance(line, str) else list(line)
    if not words:
        raise SpecError("The verb is missing; type `%lepton` alone to see them.")
    verb, num_words = verb_of(words)
    rest = words[num_words:]
    if cell is not None and not verb.takes_cell:
        raise SpecError(f"{verb.name} takes no cell; write %lepton {verb.name} with one percent sign, on a line.")
    flags = rest[: rest.index("--")] if "--" in rest else rest
    if "--help" in flags or "-h" in flags:
        return Request(verb, _names_only(verb, rest), cell, wants_help=True)
    return Request(verb, _Reader(verb, rest).values, cell)


def write(verb: str | Verb, values: dict[str, Any], *, cell: str | None = None) -> str:
    """The line after `%lepton` (with the cell below it, if there is one) for these values."""
    verb = verb_named(verb) if isinstance(verb, str) else verb
    words, values = [], dict(values)
    for positional in verb.positionals:
        if positional.name in values:
            value = values.pop(positional.name)
            words += [str(each) for each in value] if positional.many else [str(value)]
    known = (*(options_for(verb, words) or verb.options), *verb.hidden)
    by_name = {option.name: option for option in known}
    flags = [word for name, value in values.items() for word in _flag_words(by_name.get(name), name, value)]
    like_flags = any(word.startswith("-") for word in words)
    words = [*flags, "--", *words] if like_flags else [*words, *flags]
    line = " ".join([verb.name, *(shlex.quote(word) for word in words)])
    return line if cell is None else f"{line}\n{cell}"


def _flag_words(option: Option | None, name: str, value: Any) -> list[str]:
    if option:
        return option.words(value)
    flag = "--" + name.replace("_", "-")
    text = value if isinstance(value, str) and _literal(value) is value else repr(value)
    return [f"{flag}={text}"] if text.startswith("-") or not text else [flag, text]


def _literal(text: str) -> Any:
    """The Python value that a word spells, or the very word if it spells none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _names_only(verb: Verb, words: list[str]) -> dict[str, Any]:
    """The positional words of a line that asks for help, so that the help can be about them."""
    given = [word for word in words if not word.startswith("-")]
    return {positional.name: word for positional, word in zip(verb.positionals, given, strict=False)}


class _Reader:
    """Walks the words once; `values` holds what they say."""

    def __init__(self, verb: Verb, words: list[str]) -> None:
        self.verb, self.words = verb, words
        self.options = options_for(verb, words)
        self.values: dict[str, Any] = {}
        self._positionals = list(verb.positionals)
        only_words = False
        while self.words:
            word = self.words.pop(0)
            if word == "--" and not only_words:
                only_words = True
            elif only_words or not word.startswith("-") or word == "-":
                self._positional(word)
            else:
                self._flag(word)
        self._require()

    def _positional(self, word: str) -> None:
        if not self._positionals:
            raise SpecError(f"{self.verb.name}: {word!r} is one word too many. {self._usage()}")
        positional = self._positionals[0]
        if positional.many:
            self.values.setdefault(positional.name, []).append(word)
        else:
            self.values[self._positionals.pop(0).name] = word

    def _flag(self, word: str) -> None:
        flag, _, text = word.partition("=")
        known = (*(self.options or self.verb.options), *self.verb.hidden)
        found = find(known, flag)
        if found is None and self.options is None and flag.startswith("--"):
            return self._free(flag, text if "=" in word else None)
        if found is None:
            raise SpecError(self._unknown(flag, known))
        option, off = found
        if option.kind is bool:
            if "=" in word:
                raise SpecError(f"{self.verb.name}: {flag} takes no value; write {option.flag} or {option.off_flag}.")
            self.values[option.name] = not off
            return None
        self.values[option.name] = option.read(text if "=" in word else self._next(option), self.verb.name)
        return None

    def _free(self, flag: str, text: str | None) -> None:
        """An option of a network of one's own: a Python literal, a text, or a bare flag for True."""
        name = flag[2:].replace("-", "_")
        if not name.isidentifier():
            raise SpecError(f"{self.verb.name}: {flag} cannot be the name of a keyword argument.")
        if text is None and (not self.words or self.words[0].startswith("--")):
            self.values[name] = True
        else:
            self.values[name] = _literal(text if text is not None else self.words.pop(0))

    def _next(self, option: Option) -> str:
        if not self.words or self.words[0].startswith("--"):
            raise SpecError(f"{self.verb.name}: {option.flag} needs a value ({option.help}).")
        return self.words.pop(0)

    def _unknown(self, flag: str, known: Sequence[Option]) -> str:
        flags = [option.flag for option in known]
        near = difflib.get_close_matches(flag, flags, n=2, cutoff=0.55)
        if near:
            hint = "Did you mean " + " or ".join(near) + "?"
        elif self.verb.name == "model" and not self.values:
            hint = "Name the network first: %lepton model cnn, rnn or mlp."
        elif flags:
            hint = f"Type %lepton {self.verb.name} --help to see its options."
        else:
            hint = "It has no options."
        return f"{self.verb.name} has no option {flag}. {hint}"

    def _require(self) -> None:
        for positional in self._positionals:
            if positional.required and positional.name not in self.values:
                raise SpecError(
                    f"{self.verb.name}: {positional.name.upper()} is missing ({positional.help}). {self._usage()}"
                )

    def _usage(self) -> str:
        words = " ".join(positional.usage for positional in self.verb.positionals)
        return f"Type: %lepton {self.verb.name} {words}".rstrip() + (" [options]." if self.verb.options else ".")
