"""The display of a run's variants: the table, and size against quality as a chart to explore."""

from __future__ import annotations

from typing import Any

from lepton_lab.compression.record import Table, Variant, loss_points
from lepton_lab.session.compression import Compression, cells, head_of, sentence, size
from lepton_lab.session.texts import metric
from lepton_lab.session.waiting import ACTIVE
from lepton_lab.widgets.following import display_following
from lepton_lab.widgets.html import Markup, bar, card, code, esc, note, state_chip, table, tag
from lepton_lab.words import _, say

PLOTLY = "application/vnd.plotly.v1+json"
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#8792a4"


def compression_html(compression: Compression) -> Markup:
    """The table of variants as a card."""
    found = compression.table
    parts: list[Any] = []
    if found.state in ACTIVE:
        parts += [bar(found.done_fraction), note(sentence(found))]
    elif found.state == "failed":
        parts.append(note(say(found.message or ""), tone="bad"))
    else:
        parts.append(note(sentence(found)))
    parts.append(table(head_of(found), [_cells(found, row) for row in found.rows], _(f"Variants of {found.run_id}")))
    if found.torch_ms:
        median, low, high = found.torch_ms
        parts.append(
            note(
                _(
                    f"The original takes {size(found.safetensors_bytes)} as float32 safetensors and {median:.3f} ms "
                    f"({low:.3f}-{high:.3f}) a row in eager torch. On disk counts everything in the bundle. Times are "
                    "the median and the middle four fifths of runs on one thread, all variants in turns."
                )
            )
        )
    if found.chosen and found.state not in ACTIVE:
        parts.append(code(f"%lepton deploy {found.run_id} --variant {found.chosen} --name small"))
    return card(_(f"Variants of {found.run_id}"), *parts, chip=state_chip(found.state))


def _cells(found: Table, row: Variant) -> tuple[Any, ...]:
    plain = cells(found, row)
    return tuple(tag("b", cell) for cell in plain) if row.name == found.chosen else plain


def tradeoff_figure(found: Table) -> dict[str, Any]:
    """A static Plotly figure as plain JSON: bytes on disk against the metric, one point a variant."""
    rows = [row for row in found.rows if row.problem is None]
    trace = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [row.bytes / 1000 for row in rows],
        "y": [row.metric for row in rows],
        "text": [str(esc(row.name)) for row in rows],
        "textposition": "top center",
        "customdata": [[row.milliseconds, row.times_smaller, -loss_points(found, row), row.zeros] for row in rows],
        "hovertemplate": "%{text}<br>%{x:.1f} kB, 1/%{customdata[1]:.1f}<br>"
        f"{metric(found.metric)} %{{y:.4f}} (%{{customdata[2]:+.2f}} %)<br>%{{customdata[0]:.3f}} ms, "
        f"{_('zeros')} %{{customdata[3]:.0%}}<extra></extra>",
        "marker": {
            "size": [14 if row.name == found.chosen else 10 for row in rows],
            "symbol": ["star" if row.name == found.chosen else "circle" for row in rows],
            "color": [
                _ORANGE if row.name == found.chosen else _GREY if row.name == "original" else _BLUE for row in rows
            ],
        },
    }
    axis = {"showgrid": True, "gridcolor": "rgba(135,146,164,0.25)", "zeroline": False, "automargin": True}
    layout = {
        "title": {"text": _("Size against quality"), "x": 0, "xanchor": "left", "font": {"size": 13}},
        "xaxis": {**axis, "title": {"text": _("kB on disk")}, "type": "log"},
        "yaxis": {**axis, "title": {"text": metric(found.metric)}},
        "width": 720,
        "height": 380,
        "margin": {"l": 60, "r": 24, "t": 40, "b": 48},
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12, "color": _GREY},
    }
    return {"data": [trace], "layout": layout}


def tradeoff_bundle(compression: Compression) -> dict[str, Any]:
    """The chart as MIME bundle; the table above it is its text."""
    return {PLOTLY: tradeoff_figure(compression.table), "text/plain": _("Size against quality, one point a variant")}


def compression_bundle(compression: Compression) -> dict[str, Any]:
    """The table as MIME bundle."""
    return {"text/html": str(compression_html(compression)), "text/plain": str(compression)}


def display_compression(compression: Compression) -> None:
    """Shows the table in the cell, and follows it until it is finished; a finished one has its chart below."""
    from IPython.display import display

    display_following(
        f"variants-{compression.run.id}",
        lambda: (compression_bundle(compression), compression.state in ACTIVE),
    )
    if compression.state not in ACTIVE and len(compression.variants) > 1:
        display(tradeoff_bundle(compression), raw=True)
