"""The display of a study: its trials, which option matters, and the trials as lines between the options."""

from __future__ import annotations

from typing import Any

from lepton_lab.session.study import (
    Study,
    StudyList,
    option_names,
    ranked,
    sentence,
    studies_head,
    study_cells,
    trial_cells,
    trial_head,
    value_text,
)
from lepton_lab.tuning.record import ACTIVE, Table
from lepton_lab.widgets.following import display_following
from lepton_lab.widgets.html import Markup, bar, card, code, esc, note, state_chip, table, tag
from lepton_lab.words import _, heads, say

PLOTLY = "application/vnd.plotly.v1+json"
_SHOWN_TRIALS = 30
_BLUE, _GREY = "#0072b2", "#8792a4"
_SCALE = [[0.0, "#c6d8e8"], [0.5, "#4a90c2"], [1.0, "#d55e00"]]


def study_html(study: Study) -> Markup:
    """A study as a card: how far it is, which options matter, the trials from the best on."""
    found = study.table
    parts: list[Any] = [note(sentence(found), tone="bad" if found.state == "failed" else "")]
    if found.state in ACTIVE:
        ended = len(found.trials) - found.count("running")
        parts.insert(0, bar(ended / max(1, found.wanted)))
    if found.importances:
        parts.append(_importance_table(found))
    rows = ranked(found)
    parts.append(table(trial_head(found), [_cells(found, trial) for trial in rows[:_SHOWN_TRIALS]], _("Trials")))
    if len(rows) > _SHOWN_TRIALS:
        parts.append(note(_(f"The best {_SHOWN_TRIALS} of {len(rows)} trials.")))
    best = found.best_trial
    if best is not None and found.state not in ACTIVE:
        parts.append(code(f"%lepton evaluate {best.run_id}\n%lepton deploy {best.run_id} --name best"))
    return card(_(f"Study {found.study}"), *parts, chip=state_chip(found.state))


def _cells(found: Table, trial: Any) -> tuple[Any, ...]:
    plain = trial_cells(found, trial)
    return tuple(tag("b", cell) for cell in plain) if trial.number == found.best else plain


def _importance_table(found: Table) -> Markup:
    rows = [(name, bar(share), f"{share:.0%}") for name, share in found.importances.items()]
    return table((*heads("option", "how much of the difference it makes"), ""), rows, _("Importance of the options"))


def studies_html(studies: StudyList) -> Markup:
    """The studies as a table."""
    if not len(studies):
        return card(_("Studies"), note(_("No studies yet. Try: "), tag("code", "%lepton tune --trials 20")))
    rows = []
    for study in studies.studies:
        name, state, *rest = study_cells(study.table)
        rows.append((name, state_chip(state), *rest))
    return card(_("Studies"), table(studies_head(), rows, _("Studies")))


def parallel_figure(found: Table) -> dict[str, Any]:
    """A Plotly figure as plain JSON: each trial a line through its options to its figure."""
    trials = [trial for trial in found.trials if trial.value is not None]
    axes = [_axis(name, [trial.values.get(name) for trial in trials]) for name in option_names(found)]
    figures = [float(trial.value or 0.0) for trial in trials]
    axes.append({"label": found.figure.replace("_", " "), "values": figures})
    trace = {
        "type": "parcoords",
        "line": {
            "color": figures,
            "colorscale": _SCALE,
            "reversescale": not found.higher_is_better,
            "showscale": True,
        },
        "dimensions": axes,
    }
    layout = {
        "width": 900,
        "height": 360,
        "margin": {"l": 80, "r": 40, "t": 64, "b": 32},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12, "color": _GREY},
    }
    return {"data": [trace], "layout": layout}


def importance_figure(found: Table) -> dict[str, Any]:
    """A Plotly figure as plain JSON: the share of each option in the difference, the most important one on top."""
    shares = list(reversed(found.importances.items()))
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [str(esc(name)) for name, _ in shares],
        "x": [share for _, share in shares],
        "text": [f"{share:.0%}" for _, share in shares],
        "marker": {"color": _BLUE},
    }
    layout = {
        "width": 900,
        "height": 120 + 36 * len(shares),
        "margin": {"l": 160, "r": 40, "t": 40, "b": 32},
        "title": {"text": say("Importance of the options"), "font": {"size": 13}},
        "xaxis": {"tickformat": ".0%", "range": [0, 1]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"size": 12, "color": _GREY},
    }
    return {"data": [trace], "layout": layout}


def _axis(name: str, values: list[Any]) -> dict[str, Any]:
    """One option's axis: numbers as they are (or their order of magnitude), words in the order of their first use."""
    import math

    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if numbers and len(numbers) == len(values):
        low, high = min(numbers), max(numbers)
        if low > 0 and high / low >= 30:
            exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            ticks = {"tickvals": list(exponents), "ticktext": [f"{10.0**each:g}" for each in exponents]}
            return {"label": esc(name), "values": [math.log10(each) for each in numbers], **ticks}
        return {"label": esc(name), "values": numbers}
    words = list(dict.fromkeys(value_text(value) for value in values))
    places = {word: float(at) for at, word in enumerate(words)}
    ticks = {"tickvals": list(places.values()), "ticktext": [str(esc(word)) for word in words]}
    return {"label": esc(name), "values": [places[value_text(value)] for value in values], **ticks}


def display_study(study: Study) -> None:
    """Shows the card in the cell and follows it; a study that has ended shows its lines too."""
    from IPython.display import display

    def look() -> tuple[dict[str, Any], bool]:
        bundle = {"text/html": str(study_html(study)), "text/plain": str(study)}
        return bundle, study.state in ACTIVE

    display_following(f"study-{study.name}", look)
    found = study.table
    if found.state not in ACTIVE and len([trial for trial in found.trials if trial.value is not None]) > 1:
        display({PLOTLY: parallel_figure(found), "text/plain": _("Trials as lines between their options")}, raw=True)
        if found.importances:
            display({PLOTLY: importance_figure(found), "text/plain": _("Importance of the options")}, raw=True)
