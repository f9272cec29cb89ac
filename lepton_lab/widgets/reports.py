"""The display of an evaluation: figures, a table by class, the confusion matrix and the worst mistakes."""

from __future__ import annotations

import base64
from typing import Any

from lepton_lab.session import Report
from lepton_lab.session.report import report_tables
from lepton_lab.session.texts import count, metric, score
from lepton_lab.widgets.html import Markup, card, figures, join, page, png, table, tag
from lepton_lab.words import N_, _, heads

_FIGURES = {
    "precision_macro": N_("precision"),
    "recall_macro": N_("recall"),
    "f1_macro": "F1",
    "f1_weighted": N_("F1, weighted"),
    "subset_accuracy": N_("all labels right"),
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "bits_per_token": N_("bits per token"),
    "ndcg": "NDCG @10",
    "map": "mAP",
}
"""What a report shows besides the figure that its task is judged by."""

MAX_LETTERS = 160
"""Of a text that was predicted wrong, as it is shown."""

MAX_MATRIX = 20
"""Classes up to which the confusion matrix is also written as a table."""

PLOTLY = "application/vnd.plotly.v1+json"
_LIGHTEST, _DARKEST = (238, 243, 248), (0, 114, 178)


def report_html(report: Report) -> Markup:
    """The report as cards."""
    values = report.values
    shown = [(_(f"test {metric(report.metric)}"), score(report.score))]
    shown += [
        (_(said), score(values[name])) for name, said in _FIGURES.items() if name in values and name != report.metric
    ]
    tables = [table(head, rows, title) for title, head, rows in report_tables(report)]
    mistakes = [tag("h4", _("Worst mistakes")), mistakes_html(report)] if report.confusion else worst_html(report)
    return card(
        _(f"Evaluation of {report.run_id}"),
        figures([*shown, (_("test loss"), f"{values['loss']:.3f}")]),
        *tables,
        *mistakes,
        *sample_html(report),
        aside=_(f"{report.dataset.name}, {count(values['rows'])} test rows"),
    )


def worst_html(report: Report) -> list[Markup]:
    """The rows whose numbers are furthest off, as a table; nothing where answers are no numbers."""
    worst = report.values.get("worst") or []
    if not worst:
        return []
    rows = [
        (count(item["row"]), _numbers(item["truth"]), _numbers(item["prediction"]), _apart(item)) for item in worst[:12]
    ]
    head = heads("test row", "truth", "prediction", "off by")
    return [tag("h4", _("Rows that are furthest off")), table(head, rows, _("Rows that are furthest off"))]


def sample_html(report: Report) -> list[Markup]:
    """What a language model writes after the beginning that it was given; nothing for other tasks."""
    if not report.sample:
        return []
    said = tag("pre", tag("em", report.sample["prompt"]), report.sample["text"], style="white-space:pre-wrap")
    return [tag("h4", _("What it writes")), said]


def _apart(item: dict[str, Any]) -> str:
    """How far a prediction is from the truth, the mean over several numbers."""
    truths, said = (value if isinstance(value, list) else [value] for value in (item["truth"], item["prediction"]))
    off = [abs(truth - number) for truth, number in zip(truths, said, strict=True)]
    return score(sum(off) / max(1, len(off)))


def _numbers(value: float | list[float]) -> str:
    return ", ".join(map(score, value if isinstance(value, list) else [value]))


def mistakes_html(report: Report) -> Markup:
    """Pictures (or values) of the rows that were predicted wrong, each as "truth → prediction"."""
    items = mistakes_with_pictures(report, limit=12)
    if not items:
        return tag("p", _("None: every test row was predicted right."), cls="lepton-note")
    wide = any(item.get("text") for item in items)
    return tag("div", *map(_mistake, items), cls="lepton-samples lepton-wide" if wide else "lepton-samples")


def mistakes_with_pictures(report: Report, limit: int = 24) -> list[dict[str, Any]]:
    """The worst mistakes; those of pictures carry the picture as a data: address under "image"."""
    items = [dict(item) for item in report.mistakes[:limit]]
    if report.dataset.modality == "image":
        for item in items:
            picture = report.dataset.prepared.sample_png("test", int(item["row"]))
            item["image"] = "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    elif report.dataset.modality == "text":
        for item in items:
            text = report.dataset.prepared.raw_sample("test", int(item["row"]))
            item["text"] = text[:MAX_LETTERS] if isinstance(text, str) else ""
    return items


def _mistake(item: dict[str, Any]) -> Markup:
    said = f"{item['truth']} → {item['prediction']}"
    picture = (
        png(base64.b64decode(item["image"].partition(",")[2]), _(f"test row {item['row']}: {said}"))
        if "image" in item
        else Markup("")
    )
    small = tag("small", _(f"row {item['row']}, {item['confidence']:.2f}"))
    text = tag("q", item["text"]) if item.get("text") else Markup("")
    return tag("figure", picture, text, tag("figcaption", said, title=said), small, cls="lepton-sample lepton-wrong")


def confusion_bundle(report: Report) -> dict[str, Any]:
    """The confusion matrix as MIME bundle: a Plotly figure, and a plain table for pages without Plotly."""
    bundle: dict[str, Any] = {
        PLOTLY: confusion_figure(report),
        "text/plain": _("Confusion matrix (truth by prediction)"),
    }
    bundle["text/html"] = confusion_html(report)
    return bundle


def confusion_figure(report: Report) -> dict[str, Any]:
    """A static Plotly figure of the confusion matrix as plain JSON; cells are counts, colour is the truth's share."""
    names = [c["name"] for c in report.classes]
    shares = [[cell / max(1, sum(row)) for cell in row] for row in report.confusion]
    small = len(names) <= MAX_MATRIX
    # Plotly reads a subset of HTML in labels: they are escaped like everywhere, and numbered where two look the same.
    labels = _unique([Markup(_plain(name)) for name in names])
    trace = {
        "type": "heatmap",
        "z": shares,
        "x": labels,
        "y": labels,
        "customdata": report.confusion,
        "text": [[str(cell) if cell else "" for cell in row] for row in report.confusion] if small else None,
        "texttemplate": "%{text}" if small else None,
        "hovertemplate": "<br>".join(
            [_("truth") + " %{y}", _("prediction") + " %{x}", _("rows") + " %{customdata}, %{z:.1%}<extra></extra>"]
        ),
        "colorscale": [[0, f"rgb{_LIGHTEST}"], [1, f"rgb{_DARKEST}"]],
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": False,
    }
    axis = {"type": "category", "showgrid": False, "zeroline": False, "automargin": True, "ticks": ""}
    side = min(720, 180 + 28 * len(names))
    layout = {
        "title": {"text": _("Confusion matrix"), "x": 0, "xanchor": "left", "font": {"size": 13}},
        "xaxis": {**axis, "title": {"text": _("prediction")}, "side": "bottom"},
        "yaxis": {**axis, "title": {"text": _("truth")}, "autorange": "reversed", "scaleanchor": "x"},
        "width": side + 60,
        "height": side,
        "margin": {"l": 60, "r": 16, "t": 40, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12, "color": "#8792a4"},
    }
    return {"data": [{key: value for key, value in trace.items() if value is not None}], "layout": layout}


def _plain(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unique(labels: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    return [f"{label} ({i})" if seen[label] > 1 else label for i, label in enumerate(labels)]


def confusion_html(report: Report) -> Markup:
    """The confusion matrix as a coloured table; a sentence where there are too many classes for one."""
    names = [c["name"] for c in report.classes]
    if len(names) > MAX_MATRIX:
        pairs = _most_confused(report)
        return card(
            _("Confusion matrix"),
            table(heads("truth", "prediction", "rows"), pairs),
            aside=_(f"most confused of {len(names)} classes"),
        )
    rows = []
    for name, row in zip(names, report.confusion, strict=True):
        total = max(1, sum(row))
        rows.append(tag("tr", tag("th", name, scope="row"), *(_cell(cell, cell / total) for cell in row)))
    head = tag("tr", tag("th", _("truth \\ prediction")), *(tag("th", name, scope="col") for name in names))
    matrix = tag("table", tag("thead", head), tag("tbody", *rows), aria_label="Confusion matrix")
    section = tag("section", tag("div", matrix, cls="lepton-scroll lepton-matrix"), cls="lepton-card")
    return page(join([section]))


def _cell(cell: int, share: float) -> Markup:
    red, green, blue = _DARKEST
    ink = ";color:#fff" if share > 0.45 else ""
    return tag("td", cell or "", style=f"background:rgba({red},{green},{blue},{share:.3f}){ink}")


def _most_confused(report: Report) -> list[tuple[str, str, str]]:
    names = [c["name"] for c in report.classes]
    cells = [(cell, i, j) for i, row in enumerate(report.confusion) for j, cell in enumerate(row) if i != j and cell]
    return [(names[i], names[j], count(cell)) for cell, i, j in sorted(cells, reverse=True)[:15]]
