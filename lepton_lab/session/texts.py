"""Numbers, durations and tables as plain text, with units; digits that do not jump sideways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from lepton_lab.words import N_, _, columns, language, left, right

_BLOCKS = "▁▂▃▄▅▆▇█"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


METRICS = {
    "accuracy": N_("accuracy"),
    "f1": "F1",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "perplexity": N_("perplexity"),
    "hit_rate": N_("hit rate @10"),
    "map50": "mAP@0.5",
}
"""How the figures that tasks are judged by are written."""


STATES = (
    N_("queued"),
    N_("starting"),
    N_("running"),
    N_("paused"),
    N_("stopping"),
    N_("stopped"),
    N_("finished"),
    N_("failed"),
    N_("ready"),
)
"""States of runs, studies, variants and endpoints, as a person reads them."""


NAMES = (
    *(N_("number"), N_("category"), N_("text"), N_("date"), N_("target"), N_("ignored"), N_("group"), N_("time")),
    *(N_("split"), N_("user"), N_("item"), N_("rating"), N_("image"), N_("sequence"), N_("table"), N_("audio")),
    *(N_("series"), N_("tokens"), N_("interactions"), N_("classification"), N_("multilabel"), N_("regression")),
    *(N_("forecasting"), N_("detection"), N_("ranking"), N_("language"), N_("vocabulary"), N_("max length")),
    *(N_("num users"), N_("num items"), N_("num characters"), N_("num different characters"), N_("num tokens")),
    *(N_("boxes"), N_("fork"), N_("continue")),
)
"""Names of kinds, roles, tasks and figures of data, as a person reads them."""


def state_word(value: Any) -> str:
    """A state in the reader's language."""
    return _(str(value))


def accuracy(value: float | None) -> str:
    """Four digits after the point ("0.9812"), or a dash."""
    return "-" if value is None else f"{value:.4f}"


def score(value: float | None) -> str:
    """The figure that a task is judged by: four decimals below 2, else about four digits; or a dash."""
    if value is None:
        return "-"
    size = abs(value)
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 2 else 4
    return f"{value:,.{decimals}f}"


def metric(name: str) -> str:
    """The name of a figure as a person writes it."""
    return _(METRICS.get(name, name))


def seconds(value: float | None) -> str:
    """A duration as a person says it: "0.4 s", "41 s", "3 min 20 s", "2 h 5 min"."""
    if value is None:
        return "-"
    if value < 60:
        return f"{value:.{1 if value < 10 else 0}f} {'秒' if language() == 'zh' else 's'}"
    if value < 3600:
        return _(f"{int(value) // 60} min {int(value) % 60} s")
    return _(f"{int(value) // 3600} h {int(value) % 3600 // 60} min")


def clauses(parts: Sequence[str], aside: str) -> str:
    """Parts of a sentence as one, with something beside in brackets at its end."""
    return f"{'，'.join(parts)}（{aside}）。" if language() == "zh" else f"{', '.join(parts)} ({aside})."


def count(value: float | None) -> str:
    """A whole number with separators ("1,797"), or a dash."""
    return "-" if value is None else f"{value:,.0f}"


def moment(unix: float | None) -> str:
    """A moment in local time ("22 Nov 14:03"), as the reader's language writes it; the year where it is another one."""
    if unix is None:
        return "-"
    then = datetime.fromtimestamp(unix)
    year = "" if then.year == datetime.now().year else str(then.year)
    if language() == "zh":
        return f"{year + '年' if year else ''}{then.month}月{then.day}日 {then:%H:%M}"
    # The month's name is ours: %b is in the language of the process's locale, which need not be the reader's.
    return f"{then.day} {_MONTHS[then.month - 1]} {year + ' ' if year else ''}{then:%H:%M}"


def sparkline(values: Sequence[float]) -> str:
    """A line of blocks for a few numbers."""
    finite = [value for value in values if value == value]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[int((value - low) * scale)] for value in finite)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns with two spaces between them; the first one left, the others right."""
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(columns(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            left(cell, width) if column == 0 else right(cell, width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
