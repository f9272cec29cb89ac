"""The widgets' JavaScript and style, built from `js/` into `widgets/static/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lepton_lab.errors import LeptonError

FOLDER = Path(__file__).parent / "static"


class NotBuilt(LeptonError):
    """The page's part of a widget is not there."""


@cache
def module_source(name: str) -> str:
    """The ES module of a widget.

    Raises:
        NotBuilt: If it was not built; says how to build it.
    """
    path = FOLDER / f"{name}.js"
    if not path.is_file():
        raise NotBuilt(
            f"The widget {name!r} is not built: lepton_lab/widgets/static/{name}.js is missing. In a clone, run "
            "`make setup` (it builds js/); an installed package has it, so install lepton-lab again."
        )
    return path.read_text(encoding="utf-8")


@cache
def style_source(name: str) -> str:
    """The style sheet of a widget; empty where it has none of its own."""
    path = FOLDER / f"{name}.css"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
