"""What an endpoint answers: a class, labels, numbers, a forecast or boxes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import accuracy
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

_TOLD_APART = frozenset({"label", "confidence", "scores"})
_EXACT = frozenset({"classification", "multilabel"})
"""Tasks whose answers are right or wrong, and nothing in between."""


@dataclass(repr=False)
class Prediction(Shown):
    """One answer of an endpoint.

    Attributes:
        label: The answer in short: a class, the labels, a number with its unit of the source.
        confidence: Its probability; None where the answer is no class.
        scores: The probability of each class; empty where there are none.
        endpoint: Who answered.
        milliseconds: How long the request took, the way over HTTP included.
        details: What else the task answers: `value`, `labels`, `forecast` (steps by series), `boxes`, `score`.
        row: The test row that was sent, if it was one.
        truth: What stands in that row's target, in short; None where it is not known or too long to say.
        exact: Whether answers are right or wrong, and nothing in between.
        picture: The row as PNG, if it is a picture.
    """

    label: str
    confidence: float | None
    scores: dict[str, float]
    endpoint: str
    milliseconds: float
    details: dict[str, Any] = field(default_factory=dict)
    row: int | None = None
    truth: str | None = None
    exact: bool = True
    picture: bytes | None = field(default=None, repr=False)

    @property
    def correct(self) -> bool | None:
        """Whether the label is the truth; None where the truth is not known or answers are more or less near."""
        return self.label == self.truth if self.exact and self.truth is not None else None

    @property
    def said(self) -> str:
        """The answer in short, in the reader's language where it is a sentence of ours."""
        if forecast := self.details.get("forecast"):
            return _(f"{len(forecast)} steps ahead")
        if self.details.get("boxes") == []:
            return _("nothing found")
        return _("none of the classes") if self.details.get("labels") == [] else self.label

    @classmethod
    def of(cls, answer: Mapping[str, Any], endpoint: str, milliseconds: float) -> Prediction:
        """The prediction in an endpoint's answer to `/predict`."""
        confidence = answer.get("confidence")
        return cls(
            label=str(answer["label"]),
            confidence=None if confidence is None else float(confidence),
            scores=dict(answer.get("scores") or {}),
            endpoint=endpoint,
            milliseconds=milliseconds,
            details={key: value for key, value in answer.items() if key not in _TOLD_APART},
        )

    def compare(self, dataset: PreparedDataset, split: str, row: int) -> None:
        """Puts the truth of a row beside the answer."""
        self.row, self.truth, self.exact = row, truth_of(dataset, split, row), dataset.task in _EXACT

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "confidence": self.confidence,
            "scores": self.scores,
            **self.details,
            "endpoint": self.endpoint,
            "milliseconds": self.milliseconds,
            "row": self.row,
            "truth": self.truth,
            "correct": self.correct,
            "picture": base64.b64encode(self.picture).decode() if self.picture else None,
        }

    def __str__(self) -> str:
        text = self.said if self.confidence is None else f"{self.said} ({accuracy(self.confidence)})"
        return text if self.truth is None else _(f"{text}, truth {self.truth}")


class Predictions(Shown):
    """Several answers, in the order of the rows that were sent."""

    def __init__(self, items: list[Prediction]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Prediction:
        return self.items[index]

    def to_dict(self) -> dict[str, Any]:
        return {"predictions": [item.to_dict() for item in self.items]}

    def __str__(self) -> str:
        return "\n".join(map(str, self.items))


def truth_of(dataset: PreparedDataset, split: str, row: int) -> str | None:
    """What stands in a row's target, as an endpoint would say it; None for forecasts, tokens and rankings."""
    labels = dataset.splits[split].labels
    if dataset.task == "classification":
        return str(dataset.classes[int(labels[row])])
    if dataset.task == "multilabel":
        there = [name for name, value in zip(dataset.classes, labels[row], strict=True) if value > 0.5]
        return ", ".join(there) or "none"
    if dataset.task in ("regression", "rating"):
        values = labels[row].reshape(-1).tolist()
        if len(values) == 1:
            return f"{values[0]:.6g}"
        return ", ".join(f"{name} {value:.6g}" for name, value in zip(dataset.classes, values, strict=False))
    if dataset.task == "detection":
        found = [dataset.classes[int(box[4])] for box in labels[row]]
        return ", ".join(f"{found.count(name)} {name}" for name in sorted(set(found))) or "no box"
    return None
