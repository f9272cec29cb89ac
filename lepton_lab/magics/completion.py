"""Tab completion of `%lepton` lines: verbs, options, literal values, and the names that exist."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lepton_lab.session import Session
    from lepton_lab.verbs import Verb
    from lepton_lab.verbs.options import Option

_LINE = re.compile(r"^\s*%%?lepton[ \t]+(?P<rest>.*)$")


def make_matcher() -> Callable[[Any], Any]:
    """A matcher for `ip.Completer.custom_matchers`; it answers on `%lepton` lines alone."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="lepton_lab")
    def match_lepton(context: Any) -> dict[str, Any]:
        before = context.full_text[: _offset(context)].rsplit("\n", 1)[-1]
        line = _LINE.match(before)
        if not line:
            return {"completions": []}
        from lepton_lab import session

        fragment = context.token
        found = _offered(line["rest"], session.current())
        whole = re.split(r"[\s=]", before)[-1]
        hidden = len(whole) - len(fragment)
        completions = [SimpleCompletion(text[hidden:], type=kind) for text, kind in found]
        return {"completions": completions, "matched_fragment": fragment, "suppress": True}

    return match_lepton


def _offset(context: Any) -> int:
    """Where the cursor stands in the text."""
    lines = context.full_text.split("\n")
    return sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position


def _offered(rest: str, session: Session) -> list[tuple[str, str]]:
    """What may stand at the end of a line (the part after `%lepton `): (text, kind), the best first."""
    from lepton_lab.errors import LeptonError
    from lepton_lab.verbs import VERBS

    words = re.split(r"[ \t]+", rest)
    done, last = words[:-1], words[-1]
    if not done:
        return [(name, "verb") for name in VERBS if name.startswith(last) and " " not in name]
    two = " ".join(done[:2])
    verb, rest = (VERBS[two], done[2:]) if two in VERBS and len(done) > 1 else (VERBS.get(done[0]), done[1:])
    if verb is None:
        return []
    deeper = [name.partition(" ")[2] for name in VERBS if name.startswith(done[0] + " ")] if len(done) == 1 else []
    try:
        offered = [(name, "verb") for name in deeper if name.startswith(last)]
        return offered + list(_after_verb(verb, rest, last, session))
    except (LeptonError, OSError):  # a store that cannot be read has no names to offer
        return []


def _after_verb(verb: Verb, done: list[str], last: str, session: Session) -> Iterator[tuple[str, str]]:
    from lepton_lab.verbs import options_for
    from lepton_lab.verbs.options import find

    options = (*(options_for(verb, done) or verb.options), *verb.hidden)
    flag, equals, text = last.partition("=")
    if equals and last.startswith("--"):
        found = find(options, flag)
        yield from _values_of(found[0], text, session) if found else ()
        return
    found = find(options, done[-1]) if done else None
    if found and found[0].kind is not bool:
        yield from _values_of(found[0], last, session)
        return
    if not last.startswith("-"):
        taken = _positional_words(done, options)
        following = verb.positionals[len(taken) :] or [each for each in verb.positionals[-1:] if each.many]
        if following:
            yield from _names(following[0].values, last, session)
    if not last or last.startswith("-"):
        yield from _flags(verb, options, done, last)


def _flags(verb: Verb, options: tuple[Option, ...], done: list[str], last: str) -> Iterator[tuple[str, str]]:
    hidden = {option.name for option in verb.hidden}
    for option in options:
        flags = (option.flag, option.off_flag) if option.kind is bool else (option.flag,)
        for flag in flags:
            wanted = flag.startswith(last) and flag not in done
            if wanted and (option.name not in hidden or last.startswith(("--data-", "--model-"))):
                yield flag, "option"
    if "--help".startswith(last):
        yield "--help", "option"


def _positional_words(done: list[str], options: tuple[Option, ...]) -> list[str]:
    from lepton_lab.verbs.options import find

    words, skip = [], False
    for word in done:
        found = find(options, word)
        if skip or word.startswith("-"):
            skip = bool(found and found[0].kind is not bool)
        else:
            words.append(word)
    return words


def _values_of(option: Option, text: str, session: Session) -> Iterator[tuple[str, str]]:
    for choice in option.choices:
        if choice.startswith(text):
            yield choice, "value"
    yield from _names(option.values, text, session)


def _names(kind: str, text: str, session: Session) -> Iterator[tuple[str, str]]:
    for word in kind.split(" or "):
        for name in _known(word, session):
            if name.startswith(text):
                yield name, word
    if kind in ("dataset", "path") and text:
        yield from ((path, "path") for path in _paths(text))


def _known(kind: str, session: Session) -> list[str]:
    from lepton_lab.session.dataset import is_frame
    from lepton_lab.session.source import is_network

    variables = session.host.namespace()
    if kind == "language":
        from lepton_lab.words import LANGUAGES

        return [*LANGUAGES, "auto"]
    if kind == "dataset":
        from lepton_lab.data import known_names

        return [*known_names(), *(name for name, value in variables.items() if is_frame(value) and name[0] != "_")]
    if kind == "model":
        from lepton_lab.specs import MODEL_OPTIONS

        return [*MODEL_OPTIONS, *(name for name, value in variables.items() if is_network(value))]
    if kind == "run":
        return [summary.run_id for summary in session.runs().summaries]
    if kind == "endpoint":
        return [summary.name for summary in session.endpoints()]
    if kind == "study":
        return [study.name for study in session.studies().studies]
    return []


def _paths(text: str) -> Iterator[str]:
    for path in sorted(glob.glob(glob.escape(text) + "*"))[:50]:
        yield path + ("/" if Path(path).is_dir() else "")
