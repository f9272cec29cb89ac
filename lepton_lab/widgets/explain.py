"""Why an answer: parts of a row are hidden one after the other, and how far the answer moves is what each counts.

Occlusion (Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014), on the network as it is
served (ONNX), so that no torch is needed. What is hidden: squares of a picture, stretches of a sound or a series, words
of a text, cells of a table (replaced by what is usual in the training part).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError

if TYPE_CHECKING:
    import numpy as np

    from lepton_lab.data import PreparedDataset
    from lepton_lab.serving.bundle import Bundle

SQUARES = 8
"""Squares along a side of a picture, at most."""
STRETCHES = 16
MAX_WORDS = 64
USUAL_ROWS = 200
"""Training rows that the usual value of a column is taken from."""
TASKS = ("classification", "regression", "rating")


def explain(bundle: Bundle, prepared: PreparedDataset, row: int) -> dict[str, Any]:
    """What the answer to a test row rests on.

    Args:
        bundle: The run's network.
        prepared: The dataset that it was trained on.
        row: The test row.

    Returns:
        `kind` ("picture", "stretches", "words" or "columns"), `label`, `score`, and `effects`: how far the score falls
        without each part; a picture's are a list of rows. `names` of the parts where they have any.

    Raises:
        RunError: If answers of this kind are not explained, or there is no such row.
    """
    if bundle.manifest.task not in TASKS:
        raise RunError(f"Answers of {bundle.manifest.task} are not explained; those of {', '.join(TASKS)} are.")
    if not 0 <= row < len(prepared.splits["test"]):
        raise RunError(f"row is {row}; {prepared.name} has test rows 0 to {len(prepared.splits['test']) - 1}.")
    raw = prepared.raw_sample("test", row)
    asked = _Asked(bundle)
    if prepared.modality == "text" and isinstance(raw, str):
        return _words(asked, raw)
    if prepared.modality == "table":
        return _columns(asked, prepared, raw)
    if prepared.modality == "image":
        return _squares(asked, asked.inputs([raw]))
    return _stretches(asked, asked.inputs([raw]), last=prepared.modality == "audio")


class _Asked:
    """The network with the answer whose score is followed: the likeliest class of the whole row, or the number."""

    def __init__(self, bundle: Bundle) -> None:
        from lepton_lab.serving.engine import Engine

        self.bundle, self.engine, self.label = bundle, Engine(bundle, threads=1), ""

    def inputs(self, items: Sequence[Any]) -> tuple[np.ndarray, ...]:
        """Raw items, prepared."""
        prepared = self.bundle.preparation.from_raw(items)
        return prepared if isinstance(prepared, tuple) else (prepared,)

    def scores(self, inputs: tuple[np.ndarray, ...]) -> list[float]:
        """The followed score of each row; the first row ever asked says which."""
        from lepton_lab.serving.answers import present

        answers = present(self.engine.run(inputs), self.bundle)
        self.label = self.label or str(answers[0]["label"])
        return [self._score(answer) for answer in answers]

    def _score(self, answer: dict[str, Any]) -> float:
        import numpy as np

        if "value" in answer:
            value = answer["value"]
            return float(next(iter(value.values())) if isinstance(value, dict) else np.ravel(value)[0])
        return float(answer["scores"].get(self.label, 0.0))

    def told(self, kind: str, score: float, effects: Any, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "label": self.label, "score": round(score, 4), "effects": effects, **more}


def _fall(scores: list[float]) -> list[float]:
    """How far each score is below the first one."""
    return [round(scores[0] - score, 5) for score in scores[1:]]


def _squares(asked: _Asked, inputs: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """A picture (1, C, H, W): each square is filled with the picture's mean."""
    import numpy as np

    picture = inputs[0][0]
    _, height, width = picture.shape
    rows, columns = _edges(height, SQUARES), _edges(width, SQUARES)
    tried = [picture]
    for top, bottom in rows:
        for left, right in columns:
            hidden = picture.copy()
            hidden[:, top:bottom, left:right] = picture.mean(axis=(1, 2), keepdims=True)
            tried.append(hidden)
    scores = asked.scores((np.stack(tried),))
    falls = _fall(scores)
    return asked.told(
        "picture", scores[0], [falls[at : at + len(columns)] for at in range(0, len(falls), len(columns))]
    )


def _stretches(asked: _Asked, inputs: tuple[np.ndarray, ...], *, last: bool) -> dict[str, Any]:
    """A sound or a series: stretches of time are filled with the mean; time is the last axis, or the first."""
    import numpy as np

    row = inputs[0][0]
    axis = row.ndim - 1 if last else 0
    steps = int(inputs[1][0]) if len(inputs) > 1 else row.shape[axis]
    tried = [row]
    for start, end in _edges(steps, STRETCHES):
        place = [slice(None)] * row.ndim
        place[axis] = slice(start, end)
        hidden = row.copy()
        hidden[tuple(place)] = row.mean(axis=axis, keepdims=True)
        tried.append(hidden)
    lengths = tuple(np.repeat(each, len(tried)) for each in inputs[1:])
    scores = asked.scores((np.stack(tried), *lengths))
    return asked.told("stretches", scores[0], _fall(scores))


def _words(asked: _Asked, text: str) -> dict[str, Any]:
    """A text: without each of its words in turn."""
    words = text.split()[:MAX_WORDS]
    if len(words) < 2:
        raise RunError("A text of a single word has no parts to leave out.")
    rest = text.split()[MAX_WORDS:]
    tried = [text, *(" ".join(words[:at] + words[at + 1 :] + rest) for at in range(len(words)))]
    scores = asked.scores(asked.inputs(tried))
    return asked.told("words", scores[0], _fall(scores), names=words)


def _columns(asked: _Asked, prepared: PreparedDataset, row: dict[str, Any]) -> dict[str, Any]:
    """A table's row: each cell in turn has what is usual in its column."""
    count = min(USUAL_ROWS, len(prepared.splits["train"]))
    seen = [prepared.raw_sample("train", at) for at in range(count)]
    usual = {name: _usual([other.get(name) for other in seen]) for name in row}
    tried = [row, *({**row, name: usual[name]} for name in row)]
    scores = asked.scores(asked.inputs(tried))
    names = [f"{name} = {_plain(value)}" for name, value in row.items()]
    return asked.told("columns", scores[0], _fall(scores), names=names)


def _usual(values: list[Any]) -> Any:
    """The median of numbers, the most frequent of other values; None where there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if all(isinstance(value, int | float) for value in known):
        return statistics.median(known)
    return statistics.mode(known)


def _plain(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)[:60]


def _edges(size: int, parts: int) -> list[tuple[int, int]]:
    """A length cut into at most so many parts of about the same size."""
    import numpy as np

    marks = np.linspace(0, size, min(size, parts) + 1).round().astype(int).tolist()
    return list(itertools.pairwise(marks))
