"""How the objects of a session show themselves: a seam that the widgets fill.

The objects know their text and their plain values. Pictures, cards and live curves belong to the widgets, a room
further down, which plugs itself in here when a face with a screen is loaded (`api`, the magics); without it an
object shows its text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bundle = dict[str, Any]

_display: Callable[[Any], None] | None = None
_bundle: Callable[[Any], Bundle] | None = None


def use(display: Callable[[Any], None], bundle: Callable[[Any], Bundle]) -> None:
    """Plugs in who displays an object in a notebook, and who makes its MIME bundle."""
    global _display, _bundle
    _display, _bundle = display, bundle


class Shown:
    """Base of what a person sees: text everywhere, a card or a live view in a notebook."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        return _bundle(self) if _bundle else {"text/plain": str(self)}

    def _ipython_display_(self) -> None:
        if _display:
            _display(self)
        else:
            print(self)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return object.__repr__(self)

    def to_dict(self) -> dict[str, Any]:
        """The object as plain values, ready for JSON."""
        raise NotImplementedError(f"{type(self).__name__} has no plain values.")
