"""`lepton-lab VERB ... [--json]`: the verbs of the notebook in a terminal.

Every verb takes `--json` and then prints exactly one JSON object as its last line on standard output; progress goes
to standard error. Errors are one sentence and exit code 2; with `--json` also `{"error": ...}`. JSON is English;
what is printed for a person is in their language (`lepton_lab.words`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from lepton_lab.errors import LeptonError, SpecError
from lepton_lab.verbs import VERBS, help_for, overview, parse
from lepton_lab.words import N_, _, say

PROGRAM = "lepton-lab"
_MORE_HELP = (
    ("demo [--epochs N] [--keep]", N_("The whole way once on digits; --keep leaves the endpoint online.")),
    ("serve BUNDLE [--port N]", N_("Put a bundle's folder online until Ctrl-C.")),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after the program's name; by default those of this process.

    Returns:
        The exit code: 0 done, 2 an error that was said, 130 interrupted or cancelled.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    try:
        result = _run(words)
    except LeptonError as error:
        return _fail(error, as_json)
    except KeyboardInterrupt:
        print("\n" + _(f"No longer waiting. Runs go on by themselves; see them with {PROGRAM} runs."), file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
        return 0
    _print(result, as_json)
    return 0


def _run(words: list[str]) -> Any:
    """Performs the words; a text is returned as it is, an object for its text or its JSON."""
    if not words or words[0] in ("--help", "-h", "help"):
        more = "\n".join(f"  {PROGRAM} {words:<28} {_(help)}" for words, help in _MORE_HELP)
        return "\n\n".join([overview(PROGRAM, notebook=False), more, _("Every command takes --json.")])
    if words[0] == "--version":
        from lepton_lab import __version__

        return f"{PROGRAM} {__version__}"
    from lepton_lab.session import Session

    if words[0] == "demo":
        return _demo(words[1:])
    if words[0] == "serve":
        from lepton_lab.serving.standalone import serve

        return serve(words[1:])
    request = parse(_words_for_terminal(words))
    if request.wants_help:
        return help_for(request, PROGRAM)
    if request.verb.needs_notebook:
        raise SpecError(
            f"{request.verb.name} needs a notebook; open JupyterLab (make lab) and type %lepton {request.verb.name}."
        )
    return request.perform(Session(who="terminal"))


def _words_for_terminal(words: list[str]) -> list[str]:
    if words[0] not in VERBS and words[0].startswith("-"):
        raise SpecError(f"The verb comes first: {PROGRAM} train --epochs 5. See {PROGRAM} --help.")
    return words


def _demo(words: list[str]) -> Any:
    from lepton_lab.demo import demo_from_words, help_text

    if "--help" in words or "-h" in words:
        return help_text()
    return demo_from_words(words)


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        values = {"text": result} if isinstance(result, str) else (result.to_dict() if result is not None else {})
        print(json.dumps(values, ensure_ascii=False, default=str))
    elif result is not None:
        print(_plain(str(result)))
        key = getattr(result, "key", None)
        if key:
            print(_(f"key: {key}  (shown this once)"))


def _fail(error: LeptonError, as_json: bool) -> int:
    said = _plain(str(error))
    print(f"{PROGRAM}: {_plain(say(str(error)))}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": said, "kind": type(error).__name__}, ensure_ascii=False))
    return int(getattr(error, "exit_code", 2))


def _plain(text: str) -> str:
    """Advice of the notebook's magic as this program's own."""
    return text.replace("%lepton ", f"{PROGRAM} ")


if __name__ == "__main__":
    sys.exit(main())
