"""From a network's scores to what a person reads, by task; plain numpy, carried by the bundle.

Every answer has `label`, its text in short, and `confidence` (none for numbers), so that any client can show it.

| task | more |
|---|---|
| classification | `scores` by class |
| multilabel | `labels`, `scores` by label |
| regression, rating | `value`, in the source's units; several targets by name |
| forecasting | `forecast`, one entry a step ahead |
| language | `scores` of the next token |
| ranking | `score`; the greater, the better it fits |
| detection | `boxes`, the surest first: class, confidence, edges as shares of the picture's sides |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lepton_lab.data.found_boxes import decode
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.requests import RequestError

MAX_SHOWN_SCORES = 100
SURE = 0.5
"""A label is said to be there when its probability is above."""
SURE_BOX = 0.3
"""A box is said to be there when it is surer than this."""
Answer = dict[str, Any]


def present(scores: np.ndarray, bundle: Bundle, top: int | None = None) -> list[Answer]:
    """One answer a row.

    Args:
        scores: What the network gave, float32 (N, ...).
        bundle: Its task, classes and target.
        top: How many classes to list.

    Raises:
        RequestError: If a score is not finite.
    """
    if not np.isfinite(scores).all():
        raise RequestError(422, "The network gives no finite score for these instances.", "instances")
    return _WAYS[bundle.manifest.task](scores, bundle, top)


def _classes(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    classes = bundle.manifest.classes
    shown = min(top or MAX_SHOWN_SCORES, len(classes))
    answers = []
    for row in scores:
        best = int(row.argmax())
        order = range(len(classes)) if shown == len(classes) and top is None else (-row).argsort(kind="stable")[:shown]
        listed = {classes[index]: float(row[index]) for index in order}
        answers.append({"label": classes[best], "confidence": float(row[best]), "scores": listed})
    return answers


def _labels(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    classes = bundle.manifest.classes
    shown = min(top or MAX_SHOWN_SCORES, len(classes))
    answers = []
    for row in scores:
        labels = [classes[index] for index in np.flatnonzero(row > SURE)]
        listed = {classes[index]: float(row[index]) for index in (-row).argsort(kind="stable")[:shown]}
        sure = float(row[row > SURE].min()) if labels else float(1 - row.max())
        answers.append({"label": ", ".join(labels) or "none", "labels": labels, "confidence": sure, "scores": listed})
    return answers


def _numbers(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    names = bundle.manifest.classes
    answers = []
    for row in bundle.target.restore(scores):
        values = np.atleast_1d(row).tolist()
        if len(values) == 1:
            answers.append({"label": f"{values[0]:.6g}", "confidence": None, "value": values[0]})
            continue
        named = dict(zip(names if len(names) == len(values) else map(str, range(len(values))), values, strict=True))
        said = ", ".join(f"{name} {value:.6g}" for name, value in named.items())
        answers.append({"label": said, "confidence": None, "value": named})
    return answers


def _forecasts(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    restored = bundle.target.restore(scores)
    return [
        {"label": f"{len(steps)} steps ahead", "confidence": None, "forecast": steps.tolist()} for steps in restored
    ]


def _next_tokens(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    last = scores[:, -1] if scores.ndim == 3 else scores
    exps = np.exp(last - last.max(1, keepdims=True))
    shares = exps / exps.sum(1, keepdims=True)
    tokenizer = getattr(bundle.preparation, "tokenizer", None)
    answers = []
    for row in shares:
        order = (-row).argsort(kind="stable")[: top or 10]
        listed = {(tokenizer.decode([index]) if tokenizer else str(index)): float(row[index]) for index in order}
        answers.append({"label": next(iter(listed)), "confidence": float(row[order[0]]), "scores": listed})
    return answers


def _ranks(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    flat = scores.reshape(len(scores), -1)[:, 0]
    return [{"label": f"{value:.6g}", "confidence": None, "score": float(value)} for value in flat]


def _boxes(scores: np.ndarray, bundle: Bundle, top: int | None) -> list[Answer]:
    height, width = bundle.manifest.input.shape[-2:]
    classes = bundle.manifest.classes
    answers = []
    for found in decode(scores, confidence=SURE_BOX):
        shares = np.clip(found[:, :4] / [width, height, width, height], 0, 1)
        boxes = [
            {
                "label": classes[int(row[5])],
                "confidence": float(row[4]),
                **dict(zip(("left", "top", "right", "bottom"), map(float, edges), strict=True)),
            }
            for row, edges in zip(found[:top], shares, strict=False)
        ]
        labels = [str(box["label"]) for box in boxes]
        said = ", ".join(f"{labels.count(name)} {name}" for name in sorted(set(labels))) or "no box"
        sure = max((float(row[4]) for row in found), default=None)
        answers.append({"label": said, "confidence": sure, "boxes": boxes})
    return answers


_WAYS: dict[str, Callable[[np.ndarray, Bundle, int | None], list[Answer]]] = {
    "classification": _classes,
    "multilabel": _labels,
    "regression": _numbers,
    "rating": _numbers,
    "forecasting": _forecasts,
    "language": _next_tokens,
    "ranking": _ranks,
    "detection": _boxes,
}
SERVED_TASKS = frozenset(_WAYS)
"""Tasks whose bundles the server answers for."""
