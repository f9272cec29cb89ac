"""The cards of a model, an endpoint and a prediction, as HTML."""

from __future__ import annotations

from typing import Any

from lepton_lab.errors import LeptonError
from lepton_lab.session import Endpoint, Model, Prediction, Predictions
from lepton_lab.session.texts import count, score
from lepton_lab.widgets.drawn import picture_of
from lepton_lab.widgets.html import (
    Markup,
    bar,
    card,
    chip,
    code,
    facts,
    figures,
    join,
    note,
    png,
    state_chip,
    table,
    tag,
)
from lepton_lab.words import _, heads, say

MAX_SCORES = 5
MAX_STEPS = 12
MAX_CODE = 4_000
"""Code with a longer example in it, in characters, is left to the endpoint's own page."""


def model_card(model: Model) -> Markup:
    """The network, its options and what it is for."""
    dataset = model.dataset
    shape = " x ".join(map(str, dataset.input_shape))
    own = model.spec.source is not None
    pairs = [
        (_("for"), _(f"{dataset.name}: rows of {shape}{_answers(dataset)}")),
        *((key.replace("_", " "), _value(value)) for key, value in model.options.items()),
    ]
    parts: list[Any] = [facts(pairs)]
    if own:
        parts.append(
            tag("details", tag("summary", _("Source that the training process builds")), code(model.spec.source or ""))
        )
    next_step = note(
        _("Next: "),
        tag("code", "%lepton train --epochs 20"),
        _("; it is built and checked when training starts.") if own else "",
    )
    return card(
        model.name, *parts, next_step, chip=chip(_("your own")) if own else None, label=_(f"Model {model.name}")
    )


def _answers(dataset: Any) -> str:
    """How many classes or numbers the network answers with; nothing where that says little."""
    task, number = dataset.prepared.task, len(dataset.classes)
    if task in ("classification", "multilabel", "detection"):
        return _(f", {number} classes")
    return _(f", {number} numbers") if task == "forecasting" else ""


def _value(value: Any) -> str:
    return (_("yes") if value else _("no")) if isinstance(value, bool) else str(value)


def endpoint_card(endpoint: Endpoint) -> Markup:
    """Address, state, the key where it is new, and how to ask from elsewhere."""
    summary = endpoint.summary
    parts: list[Any] = [facts(_endpoint_facts(endpoint, summary))]
    if getattr(summary, "message", None):
        parts.append(note(say(summary.message), tone="bad" if str(summary.state) == "failed" else ""))
    if endpoint.key:
        once = _("The key is shown this once. Keep it, and clear this output before you share the notebook.")
        parts.append(note(once, tone="warn"))
    clients = [part for name, text in clients_of(endpoint).items() for part in (tag("h4", name), code(text))]
    if clients:
        parts.append(tag("details", tag("summary", _("Ask from elsewhere")), *clients))
    parts.append(
        note(
            _("Try it here: "),
            tag("code", f"%lepton predict {endpoint.name} --row 0"),
            _("  Stop it: "),
            tag("code", f"%lepton stop {endpoint.name} --endpoint"),
        )
    )
    return card(
        _(f"Endpoint {endpoint.name}"), *parts, chip=state_chip(summary.state), aside=_(f"version {summary.version}")
    )


def _endpoint_facts(endpoint: Endpoint, summary: Any) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = [(_("address"), tag("code", summary.url or "-"))]
    if endpoint.key:
        pairs.append((_("key"), tag("code", endpoint.key)))
    return [*pairs, (_("run"), summary.run_id or "-"), (_("requests"), count(summary.requests))]


def clients_of(endpoint: Endpoint) -> dict[str, str]:
    """Code that asks an endpoint, by the name of its language; none where its bundle is not to be read."""
    from lepton_lab.serving.clients import client_code

    try:
        url, bundle = endpoint.url, endpoint.bundle()
    except LeptonError:
        return {}
    codes = {name: client_code(url, bundle, name.lower()) for name in ("Python", "curl", "JavaScript")}
    return {name: text for name, text in codes.items() if len(text) <= MAX_CODE}


def prediction_card(prediction: Prediction) -> Markup:
    """The answer beside the truth where that is known, its picture, and the likeliest classes."""
    likely = sorted(prediction.scores.items(), key=lambda pair: -pair[1])[:MAX_SCORES]
    rows = [
        join([tag("span", label), bar(score, "val" if index == 0 else "mute"), tag("span", f"{score:.4f}")])
        for index, (label, score) in enumerate(likely)
    ]
    number = _as_number(prediction.details.get("value"))
    said = score(number) if number is not None else prediction.said
    drawn = picture_of(prediction)
    picture = png(drawn, said if prediction.row is None else _(f"test row {prediction.row}")) if drawn else Markup("")
    if rows:
        body = tag("div", picture, tag("div", *rows, cls="lepton-scores"), cls="lepton-answer" if picture else "")
    elif number is not None:
        body = tag("div", picture, figures(_beside(number, prediction.truth)), cls="lepton-answer" if picture else "")
    else:
        body = join([picture, *map(_detail, prediction.details.items())])
    asked = "" if prediction.row is None else _(f"test row {prediction.row}, ")
    return card(
        _(f"Predicted {esc_title(said)}"),
        body,
        chip=_verdict(prediction, shown=number is None),
        aside=f"{asked}{prediction.endpoint}, {prediction.milliseconds:.1f} ms",
    )


def _as_number(value: Any) -> float | None:
    """A single number in an answer, bare or alone in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _beside(number: float, truth: str | None) -> list[tuple[str, str]]:
    """A predicted number, the true one, and how far they are apart."""
    shown = [(_("prediction"), score(number))]
    try:
        true = float(truth) if truth is not None else None
    except ValueError:
        true = None
    if true is not None:
        shown += [(_("truth"), f"{true:g}"), (_("off by"), score(abs(number - true)))]
    return shown


def _verdict(prediction: Prediction, *, shown: bool) -> Markup | None:
    """Right, or the truth; nothing where the figures below say it."""
    if prediction.truth is None or not shown:
        return None
    text = _("right") if prediction.correct else _(f"truth {prediction.truth}")
    return chip(text, {True: "ok", False: "bad", None: ""}[prediction.correct])


def _detail(pair: tuple[str, Any]) -> Markup:
    """What an answer without classes holds: a number, or the first of a list of them."""
    name, value = pair
    if isinstance(value, list):
        shown = [_few(step) for step in value[:MAX_STEPS]]
        rows = [(str(number), text) for number, text in enumerate(shown, 1)]
        more = _(f"the first {MAX_STEPS} of {len(value)}") if len(value) > MAX_STEPS else ""
        return join([table(("", name), rows, name), note(more)] if more else [table(("", name), rows, name)])
    if isinstance(value, dict):
        return facts([(str(key), _few(each)) for key, each in value.items()])
    return facts([(name, _few(value))])


def _few(value: Any) -> str:
    """A value, or a few of them, with about four digits."""
    if isinstance(value, list):
        return ", ".join(map(_few, value[:12]))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_few(each)}" for key, each in value.items())
    return score(value) if isinstance(value, int | float) else str(value)


def predictions_card(predictions: Predictions) -> Markup:
    """Several answers as a table."""
    rows = [
        (index, item.label, "-" if item.confidence is None else f"{item.confidence:.4f}")
        for index, item in enumerate(predictions.items)
    ]
    return card(_("Predictions"), table(heads("input", "label", "confidence"), rows))


def esc_title(label: str) -> str:
    """A label in a title, cut where it is long."""
    return label if len(label) <= 60 else label[:59] + "…"
