"""The magic itself."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand


@magics_class
class LeptonMagics(Magics):
    """`%lepton VERB ...` and `%%lepton model NAME`."""

    # Braces and dollar signs belong to the person's own text (JSON for predict, a network's code), not to IPython.
    @no_var_expand
    @line_cell_magic
    def lepton(self, line: str, cell: str | None = None) -> None:
        """Train a network, watch it live and put it online; `%lepton` alone lists the verbs."""
        from lepton_lab.errors import LeptonError

        try:
            _perform(line, cell)
        except LeptonError as error:
            raise _said_plainly(error) from None


def _perform(line: str, cell: str | None) -> None:
    from lepton_lab import session, widgets
    from lepton_lab.verbs import help_for, overview, parse

    widgets.install()
    if (not line.strip() and cell is None) or line.split()[:1] in (["--help"], ["-h"], ["help"]):
        print(overview())
        return
    request = parse(line, cell)
    if request.wants_help:
        print(help_for(request))
        return
    result = request.perform(session.current())
    if result is not None:
        result._ipython_display_()


def _said_plainly(error: Any) -> Any:
    """The error, shown in the cell as its sentence in the reader's language, without the frames of our own code."""
    from lepton_lab.words import say

    error._render_traceback_ = lambda *_: [f"{type(error).__name__}: {say(str(error))}"]
    return error
