"""The one table of verbs, and the two ways between a verb's values and its line.

`table` and `kept` say which verbs there are, `options` derives their options from the specs, `line` reads and writes
the `%lepton` line, `python` writes the code it stands for, `help` explains, `calls` and `kept_calls` are the session
calls.
"""

from __future__ import annotations

from lepton_lab.verbs.help import help_for, overview
from lepton_lab.verbs.line import Request, parse, write
from lepton_lab.verbs.python import python_for
from lepton_lab.verbs.table import VERBS, options_for, verb_named, verb_of
from lepton_lab.verbs.verb import Verb

__all__ = [
    "VERBS",
    "Request",
    "Verb",
    "help_for",
    "options_for",
    "overview",
    "parse",
    "python_for",
    "verb_named",
    "verb_of",
    "write",
]
