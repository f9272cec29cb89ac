"""The still picture of a curve as SVG, for saved notebooks and for pages without scripts. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from lepton_lab.session.texts import metric, score
from lepton_lab.words import N_, _

if TYPE_CHECKING:
    from lepton_lab.runs import Curve, RunSummary

WIDTH, HEIGHT = 680, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 30, 28
_MAX_POINTS = 400
_COLOURS = {"train": "var(--l-train,#0072B2)", "val": "var(--l-val,#D55E00)"}
_PLAIN = {"train": "#0072B2", "val": "#D55E00"}
_WORDS = {"train": N_("training"), "val": N_("validation")}
_SHARES = frozenset({"accuracy", "f1", "map50", "hit_rate"})
"""Figures that lie between 0 and 1."""


def curve_svg(curve: Curve, summary: RunSummary, *, themed: bool = False) -> str:
    """The figure that the task is judged by, for training and validation by epoch, with the run's id.

    Args:
        curve: The run's points.
        summary: Names the run and how many epochs it has.
        themed: Takes its colours from the page (inside the displays' HTML); else mid tones that show on any ground.
    """
    colours = _COLOURS if themed else _PLAIN
    text = "var(--l-fg2,#6b7686)" if themed else "#6b7686"
    line = "var(--l-line,#c9cfd9)" if themed else "#9aa3b2"
    series = {kind: _points(curve, f"{kind}_{summary.metric}") for kind in ("train", "val")}
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    high_x = max([float(summary.epochs or 1), *xs])
    low_y, high_y, ticks = _range(ys, share=summary.metric in _SHARES)
    place = _Scale(0.0, high_x, low_y, high_y)
    parts = [_grid(ticks, place, text, line), _epochs(high_x, place, text)]
    parts += [_path(points, place, colours[kind]) for kind, points in series.items()]
    parts += [_end(points, place, colours[kind], text) for kind, points in series.items() if kind == "val"]
    title = metric(summary.metric) if themed else f"{summary.run_id}: {metric(summary.metric)}"
    parts.append(_legend(title, colours, text))
    if not xs:
        parts.append(_text(WIDTH / 2, HEIGHT / 2, _("no points yet"), text, anchor="middle"))
    said = escape(_(f"{_named(summary.metric)} of {summary.run_id} by epoch"), {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{said}" font-family="system-ui,sans-serif" font-size="11">{"".join(parts)}</svg>'
    )


def _named(name: str) -> str:
    """A figure's name as it begins a sentence."""
    said = metric(name)
    return said[:1].upper() + said[1:]


def spark_svg(values: Sequence[float], width: int = 74, height: int = 20) -> str:
    """A run's course as a small line."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{1 + (width - 2) * index / (len(values) - 1):.1f},{height - 2 - (height - 4) * (value - low) / span:.1f}"
        for index, value in enumerate(values)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'aria-hidden="true"><polyline points="{points}" fill="none" stroke="{_COLOURS["val"]}" stroke-width="1.6"/>'
        "</svg>"
    )


class _Scale:
    """From values to places in the picture."""

    def __init__(self, low_x: float, high_x: float, low_y: float, high_y: float) -> None:
        self.low_x, self.span_x = low_x, (high_x - low_x) or 1.0
        self.low_y, self.span_y = low_y, (high_y - low_y) or 1.0

    def x(self, value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - self.low_x) / self.span_x

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - self.low_y) / self.span_y


def _points(curve: Curve, name: str) -> list[tuple[float, float]]:
    series = curve.series.get(name)
    if series is None:
        return []
    points = [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    if len(points) <= _MAX_POINTS:
        return points
    step = len(points) / (_MAX_POINTS / 2)
    blocks = [points[int(i * step) : max(int(i * step) + 1, int((i + 1) * step))] for i in range(_MAX_POINTS // 2)]
    extremes = [(min(block, key=lambda p: p[1]), max(block, key=lambda p: p[1])) for block in blocks]
    return [points[0], *(point for pair in extremes for point in sorted(pair)), points[-1]]


def _range(values: list[float], *, share: bool) -> tuple[float, float, list[float]]:
    """(low, high, ticks) with round steps; shares such as accuracy never leave 0 to 1, no figure falls below 0."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    ceiling = 1.0 if share else math.inf
    step = _round_step(max(high - low, 0.02 if share else abs(high) * 0.02 or 0.02) / 4)
    bottom = max(0.0, math.floor(low / step) * step)
    top = min(ceiling, math.ceil(high / step + 1e-9) * step)
    if top - bottom < step:
        bottom, top = max(0.0, top - step), min(ceiling, bottom + step)
    count = round((top - bottom) / step)
    return bottom, top, [bottom + i * step for i in range(count + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)


def _grid(ticks: list[float], place: _Scale, text: str, line: str) -> str:
    between = ticks[1] - ticks[0] if len(ticks) > 1 else 0.1
    digits = 0 if between >= 1 and between == int(between) else 2 if between >= 0.0099 else 3
    return "".join(
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{place.y(tick):.1f}" y2="{place.y(tick):.1f}" stroke="{line}" '
        f'stroke-width="0.7"/>{_text(_LEFT - 8, place.y(tick) + 4, f"{tick:.{digits}f}", text, anchor="end")}'
        for tick in ticks
    )


def _epochs(high: float, place: _Scale, text: str) -> str:
    step = max(1, round(_round_step(max(high, 1.0) / 8)))
    marks = range(0, int(high) + 1, step)
    labels = [_text(place.x(mark), HEIGHT - 8, str(mark), text, anchor="middle") for mark in marks]
    return "".join(labels)


def _path(points: list[tuple[float, float]], place: _Scale, colour: str) -> str:
    if not points:
        return ""
    steps = " ".join(f"{'L' if i else 'M'}{place.x(x):.1f} {place.y(y):.1f}" for i, (x, y) in enumerate(points))
    return f'<path d="{steps}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>'


def _end(points: list[tuple[float, float]], place: _Scale, colour: str, text: str) -> str:
    if not points:
        return ""
    x, y = place.x(points[-1][0]), place.y(points[-1][1])
    below = y + 18 if y + 18 < HEIGHT - _BOTTOM else y - 9
    label = _text(x, below, score(points[-1][1]), text, anchor="end")
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>{label}'


def _legend(title: str, colours: dict[str, str], text: str) -> str:
    parts = [_text(_LEFT, 16, title, text, weight="600")]
    for index, (kind, word) in enumerate(_WORDS.items()):
        x = WIDTH - _RIGHT - 190 + index * 100
        parts.append(f'<line x1="{x}" x2="{x + 18}" y1="12" y2="12" stroke="{colours[kind]}" stroke-width="2.4"/>')
        parts.append(_text(x + 24, 16, _(word), text))
    return "".join(parts)


def _text(x: float, y: float, words: str, colour: str, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )
