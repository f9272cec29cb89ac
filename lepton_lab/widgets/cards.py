"""The cards of a model, an endpoint and a prediction, as HTML."""

from __future__ import annotations

import json
from typing import Any

from lepton_lab.session import Endpoint, Model, Prediction, Predictions
from lepton_lab.session.texts import count, score
from lepton_lab.widgets.html import (
    Markup,
    bar,
    card,
    chip,
    code,
    facts,
    join,
    note,
    png,
    state_chip,
    table,
    tag,
)

MAX_SCORES = 5
MAX_STEPS = 12


def model_card(model: Model) -> Markup:
    """The network, its options and what it is for."""
    dataset = model.dataset
    shape = " x ".join(map(str, dataset.input_shape))
    own = model.spec.source is not None
    pairs = [
        ("for", f"{dataset.name}: rows of {shape}, {len(dataset.classes)} classes"),
        *((key.replace("_", " "), _value(value)) for key, value in model.options.items()),
    ]
    parts: list[Any] = [facts(pairs)]
    if own:
        parts.append(
            tag("details", tag("summary", "Source that the training process builds"), code(model.spec.source or ""))
        )
    next_step = note(
        "Next: ",
        tag("code", "%lepton train --epochs 20"),
        "; it is built and checked when training starts." if own else "",
    )
    return card(model.name, *parts, next_step, chip=chip("your own") if own else None, label=f"Model {model.name}")


def _value(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def endpoint_card(endpoint: Endpoint) -> Markup:
    """Address, state, the key where it is new, and how to ask from elsewhere."""
    summary = endpoint.summary
    parts: list[Any] = [facts(_endpoint_facts(endpoint, summary))]
    if getattr(summary, "message", None):
        parts.append(note(summary.message, tone="bad" if str(summary.state) == "failed" else ""))
    if endpoint.key:
        parts.append(
            note(
                "The key is shown this once. Keep it, and clear this output before you share the notebook.", tone="warn"
            )
        )
    parts.append(
        tag(
            "details",
            tag("summary", "Ask from elsewhere"),
            tag("h4", "Python"),
            code(python_client(endpoint, summary)),
            tag("h4", "curl"),
            code(curl_client(summary)),
        )
    )
    parts.append(
        note(
            "Try it here: ",
            tag("code", f"%lepton predict {endpoint.name} --row 0"),
            "  Stop it: ",
            tag("code", f"%lepton stop {endpoint.name} --endpoint"),
        )
    )
    return card(f"Endpoint {endpoint.name}", *parts, chip=state_chip(summary.state), aside=f"version {summary.version}")


def _endpoint_facts(endpoint: Endpoint, summary: Any) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = [("address", tag("code", summary.url or "-"))]
    if endpoint.key:
        pairs.append(("key", tag("code", endpoint.key)))
    return [*pairs, ("run", summary.run_id or "-"), ("requests", count(summary.requests))]


def python_client(endpoint: Endpoint, summary: Any) -> str:
    """Python that asks this endpoint from any machine with lepton_lab."""
    return (
        "from lepton_lab.serving.client import Client\n\n"
        f'client = Client({json.dumps(summary.url)}, key="lpt_...")\n'
        'print(client.predict([open("picture.png", "rb").read()]))'
    )


def curl_client(summary: Any) -> str:
    """A command line that asks this endpoint."""
    return f'curl -H "Authorization: Bearer $LEPTON_KEY" -F file=@picture.png {summary.url}/predict'


def prediction_card(prediction: Prediction) -> Markup:
    """The answer, its picture where there is one, and the likeliest classes."""
    answer = [prediction.label]
    if prediction.truth is not None:
        answer.append("right" if prediction.correct else f"truth {prediction.truth}")
    likely = sorted(prediction.scores.items(), key=lambda pair: -pair[1])[:MAX_SCORES]
    rows = [
        join([tag("span", label), bar(score, "val" if index == 0 else "mute"), tag("span", f"{score:.4f}")])
        for index, (label, score) in enumerate(likely)
    ]
    if not rows:
        rows = list(map(_detail, prediction.details.items()))
    picture = png(prediction.picture, f"test row {prediction.row}") if prediction.picture else Markup("")
    body = tag("div", picture, tag("div", *rows, cls="lepton-scores"), cls="lepton-answer" if picture else "")
    tone = {True: "ok", False: "bad", None: ""}[prediction.correct]
    row = "" if prediction.row is None else f"test row {prediction.row}, "
    return card(
        f"Predicted {esc_title(answer[0])}",
        body,
        chip=chip(answer[1], tone) if len(answer) > 1 else None,
        aside=f"{row}{prediction.endpoint}, {prediction.milliseconds:.1f} ms",
    )


def _detail(pair: tuple[str, Any]) -> Markup:
    """What an answer without classes holds: a number, or the first of a list of them."""
    name, value = pair
    if isinstance(value, list):
        shown = [_few(step) for step in value[:MAX_STEPS]]
        rows = [(str(number), text) for number, text in enumerate(shown, 1)]
        more = f"the first {MAX_STEPS} of {len(value)}" if len(value) > MAX_STEPS else ""
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
    return card("Predictions", table(("input", "label", "confidence"), rows))


def esc_title(label: str) -> str:
    """A label in a title, cut where it is long."""
    return label if len(label) <= 60 else label[:59] + "…"
