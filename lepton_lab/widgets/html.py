"""The small HTML that all displays share: one style sheet, escaping, and a few parts.

Everything that is data (labels, names, messages, file names) goes through `esc`; markup is only what this room wrote
itself, and is marked as such by the type `Markup`.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from lepton_lab.words import _

ROOT = "lepton mathjax_ignore tex2jax_ignore"
"""Classes around every display. The last two tell MathJax (3 and 2) to leave the data alone: a label such as
`$\\href{javascript:...}{x}$` is a text, and no formula with a link in it."""


class Markup(str):
    """A string that is HTML already, made in this room."""


def esc(value: Any) -> Markup:
    """A value as HTML text; what is `Markup` already stays as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def tag(name: str, *children: Any, cls: str = "", **attributes: Any) -> Markup:
    """An element; children and attribute values are escaped unless they are `Markup`. `cls` is its class."""
    given = {**({"class": cls} if cls else {}), **attributes}
    words = "".join(f' {key.replace("_", "-")}="{esc(value)}"' for key, value in given.items() if value is not None)
    if name == "img":
        return Markup(f"<img{words}>")
    return Markup(f"<{name}{words}>{''.join(esc(child) for child in children)}</{name}>")


def join(parts: Iterable[Any]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(esc(part) for part in parts))


def apart(parts: Iterable[Any]) -> list[Any]:
    """Parts with a space between: a notebook that is not trusted yet is shown without the style sheet."""
    return [each for part in parts if part for each in (part, " ")]


def card(title: Any, *body: Any, chip: Markup | None = None, aside: Any = "", label: str = "") -> Markup:
    """A card with a title line, wrapped with the style sheet so that it stands alone in any page."""
    parts = [tag("span", title, cls="lepton-name"), chip or "", tag("span", aside, cls="lepton-aside")]
    head = tag("div", *apart(parts), cls="lepton-head")
    section = tag("section", head, *body, cls="lepton-card", aria_label=label or str(title))
    return page(section)


def page(*children: Any) -> Markup:
    """Children with the style sheet, out of reach of MathJax."""
    return tag("div", Markup(f"<style>{style()}</style>"), *children, cls=ROOT)


def style() -> str:
    """The one style sheet of the displays."""
    return resources.files("lepton_lab.widgets").joinpath("display.css").read_text(encoding="utf-8")


_TONES = {
    "finished": "ok",
    "ready": "ok",
    "running": "live",
    "starting": "live",
    "paused": "warn",
    "stopping": "warn",
    "failed": "bad",
    "queued": "",
    "stopped": "",
}


def state_chip(state: Any) -> Markup:
    """A state as a small label; the word says it, the colour only helps."""
    return chip(_(str(state)), _TONES.get(str(state), ""))


def chip(text: str, tone: str = "") -> Markup:
    """A small label with a tone: ok, live, warn, bad or none."""
    return tag("span", text, cls=f"lepton-chip lepton-{tone}" if tone else "lepton-chip")


def figures(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """The large figures at the top of a card."""
    each = (tag("div", *apart([tag("small", name), tag("b", value)])) for name, value in pairs)
    return tag("div", *each, cls="lepton-figures")


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """Names and values, one pair a line."""
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in pairs), cls="lepton-facts")


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], label: str = "") -> Markup:
    """A table, the first column left and the others right."""
    top = tag("thead", tag("tr", *(tag("th", cell, scope="col") for cell in head)))
    body = tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows))
    return tag("div", tag("table", top, body, aria_label=label or None), cls="lepton-scroll")


def bar(fraction: float, tone: str = "") -> Markup:
    """A thin bar filled to a fraction."""
    width = f"width:{max(0.0, min(1.0, fraction)) * 100:.1f}%"
    return tag("span", tag("i", style=width, cls=tone), cls="lepton-bar")


def png(data: bytes, alt: str) -> Markup:
    """A picture; small ones keep their pixels."""
    return tag("img", src="data:image/png;base64," + base64.b64encode(data).decode("ascii"), alt=alt)


def code(text: str) -> Markup:
    """Lines of code."""
    return tag("pre", text, cls="lepton-code")


def note(*words: Any, tone: str = "") -> Markup:
    """A quiet sentence; with a tone, one that wants to be seen."""
    return tag("p", *words, cls=f"lepton-note lepton-{tone}" if tone else "lepton-note")
