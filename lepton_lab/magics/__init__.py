"""`%lepton`: a verb's line in, a display out.

Loading the extension registers the magic and its completion and imports nothing heavy; the session, the specs and
the displays come with the first line that needs them.
"""

from __future__ import annotations

from typing import Any

_MATCHER = "_lepton_matcher"


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext lepton_lab`."""
    from lepton_lab.magics.completion import make_matcher
    from lepton_lab.magics.magic import LeptonMagics

    unload_ipython_extension(shell)
    shell.register_magics(LeptonMagics)
    if shell.Completer is not None:
        matcher = make_matcher()
        setattr(shell, _MATCHER, matcher)
        shell.Completer.custom_matchers.append(matcher)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext lepton_lab`: takes the magic and the completion away again; runs and endpoints go on."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("lepton", None)
    matcher = shell.__dict__.pop(_MATCHER, None)
    if matcher is not None and matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
