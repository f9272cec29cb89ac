"""What an answer rests on: parts of the input are covered one after another, and the answer is asked for again.

Occlusion after Zeiler and Fergus 2014 (https://arxiv.org/abs/1311.2901); leaving out a word at a time is the same for
sentences (Li et al. 2016, https://arxiv.org/abs/1612.08220). It needs nothing but the network's answers, so it works
for every bundle. A part that holds the answer up has a positive change: without it the figure falls by so much.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from lepton_lab.serving.about import columns_of
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.codec_predict import prepare
from lepton_lab.serving.engine import Inputs, joined
from lepton_lab.serving.requests import RequestError

TASKS = ("classification", "multilabel", "regression", "rating")
MAX_PARTS = 64
GRID = 8
"""A picture is covered in at most so many cells a side; a sequence in so many stretches, squared."""


@dataclass(frozen=True)
class Covered:
    """The input with one part covered at a time.

    Attributes:
        parts: Name of each part: a word, a column, a stretch of steps; for pictures row and column of the cell.
        inputs: A prepared row for each part.
        grid: Cells of a picture, (rows, columns); else None.
    """

    parts: list[str]
    inputs: Inputs
    grid: tuple[int, int] | None = None


def cover(items: list[Any], inputs: Inputs, bundle: Bundle) -> Covered:
    """Covers the parts of one instance.

    Args:
        items: The raw instance, alone in its list.
        inputs: The same, prepared.
        bundle: What answers.

    Raises:
        RequestError: 422 for more than one instance, or a task that this cannot explain.
    """
    if len(items) != 1:
        raise RequestError(422, f"explain takes one instance at a time; {len(items)} were given.", "explain")
    if bundle.manifest.task not in TASKS:
        raise RequestError(
            422, f"explain does not know {bundle.manifest.task}; it explains {', '.join(TASKS)}.", "explain"
        )
    if isinstance(items[0], str):
        return _without_words(items[0], bundle)
    if columns_of(bundle):
        return _other_columns(items[0], bundle)
    return _under_patches(inputs)


def read(covered: Covered, scores: np.ndarray, changed: np.ndarray, bundle: Bundle) -> dict[str, Any]:
    """How much the answer's figure falls without each part.

    Args:
        covered: What was covered.
        scores: The answer to the whole instance, (1, ...).
        changed: The answers without each part, (P, ...).
        bundle: What answered.

    Returns:
        `method`, `of` (the class, or the first target), `parts` with their changes, the strongest first, or `grid`,
        the changes by cell of a picture.
    """
    names = bundle.manifest.classes
    if bundle.manifest.task in ("regression", "rating"):
        figures = np.asarray(bundle.target.restore(changed), np.float64).reshape(len(changed), -1)[:, 0]
        whole = float(np.asarray(bundle.target.restore(scores), np.float64).reshape(-1)[0])
        of = names[0] if names else "value"
    else:
        best = int(scores[0].argmax())
        figures, whole, of = changed[:, best].astype(np.float64), float(scores[0, best]), names[best]
    changes = [round(whole - float(figure), 6) for figure in figures]
    said: dict[str, Any] = {"method": "occlusion", "of": of}
    if covered.grid is not None:
        height, width = covered.grid
        return {**said, "grid": [changes[row * width : (row + 1) * width] for row in range(height)]}
    ranked = sorted(zip(covered.parts, changes, strict=True), key=lambda pair: -abs(pair[1]))
    return {**said, "parts": [{"part": part, "change": change} for part, change in ranked]}


def _without_words(text: str, bundle: Bundle) -> Covered:
    """The sentence without each of its first words."""
    words = list(re.finditer(r"\S+", text))[:MAX_PARTS]
    shortened = [(text[: word.start()] + text[word.end() :]).strip() or " " for word in words]
    if not words:
        raise RequestError(422, "The sentence has no word that could be left out.", "explain")
    return Covered([word.group() for word in words], joined([prepare([each], bundle) for each in shortened]))


def _other_columns(item: Any, bundle: Bundle) -> Covered:
    """The row with each column as in the bundle's example row."""
    columns, example = columns_of(bundle), bundle.manifest.example or {}
    row = dict(item) if isinstance(item, dict) else dict(zip(columns, item, strict=False))
    names = [name for name in columns if name in example][:MAX_PARTS]
    if not names:
        raise RequestError(422, "This model has no example row to compare with.", "explain")
    return Covered(names, prepare([{**row, name: example[name]} for name in names], bundle))


def _under_patches(inputs: Inputs) -> Covered:
    """A picture with each cell, or a sequence with each stretch, set to zero, which is the mean of training."""
    whole = inputs[0]
    if whole.dtype.kind != "f" or whole.ndim < 3:
        raise RequestError(422, "This input has no parts that could be covered.", "explain")
    rows = []
    if whole.ndim == 4:
        tops, lefts = (_edges(side, GRID) for side in whole.shape[2:])
        for top, bottom in tops:
            for left, right in lefts:
                rows.append(whole.copy())
                rows[-1][:, :, top:bottom, left:right] = 0
        parts = [f"{row},{column}" for row in range(len(tops)) for column in range(len(lefts))]
        return Covered(parts, (np.concatenate(rows),), (len(tops), len(lefts)))
    stretches = _edges(whole.shape[1], MAX_PARTS)
    for start, end in stretches:
        rows.append(whole.copy())
        rows[-1][:, start:end] = 0
    lengths = tuple(np.repeat(each, len(rows), 0) for each in inputs[1:])
    return Covered([f"{start} to {end - 1}" for start, end in stretches], (np.concatenate(rows), *lengths))


def _edges(size: int, most: int) -> list[tuple[int, int]]:
    """A side in parts of about the same length."""
    step = math.ceil(size / most)
    return [(start, min(size, start + step)) for start in range(0, size, step)]
