"""Rows of a dataset as a card shows them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from lepton_lab.data.dataset import PreparedDataset
from lepton_lab.data.media_samples import media_sample

NUM_SAMPLES = 12
_MAX_STEPS = 512
"""Steps of a series that a card shows."""


def varied_rows(num_rows: int, labels: np.ndarray | None) -> list[int]:
    """Rows that show every class in turn, as far as a dozen reaches; without classes, rows evenly apart."""
    if labels is None:
        return [round(place) for place in np.linspace(0, num_rows - 1, min(NUM_SAMPLES, num_rows)).tolist()]
    by_class = [np.flatnonzero(labels == number)[:NUM_SAMPLES] for number in np.unique(labels)[:NUM_SAMPLES]]
    turns = [int(rows[turn]) for turn in range(NUM_SAMPLES) for rows in by_class if turn < len(rows)]
    return turns[:NUM_SAMPLES]


def sample(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any]:
    """A row, its label and what can be shown of it, ready for JSON."""
    part = dataset.splits[split]
    shown: dict[str, Any] = {
        "split": split,
        "row": row,
        "row_id": int(part.row_ids[row]),
        "label": label_text(dataset, part.labels[row]),
    }
    if (seen := media_sample(dataset, split, row)) is not None:
        return {**shown, **seen}
    if dataset.modality == "image":
        shown["image"] = "data:image/png;base64," + base64.b64encode(dataset.sample_png(split, row)).decode("ascii")
        return shown
    raw = dataset.raw_sample(split, row)
    if isinstance(raw, str):
        shown["text"] = raw
    elif isinstance(raw, dict):
        shown["values"] = raw
    else:
        shown["series"] = np.asarray(raw, np.float64)[:_MAX_STEPS].round(6).tolist()
    return shown


def label_text(dataset: PreparedDataset, label: Any) -> str:
    """A row's label in words: the class, the labels, or the numbers in the source's units."""
    if dataset.task == "classification":
        return dataset.classes[int(label)]
    if dataset.task == "multilabel":
        marked = [name for name, held in zip(dataset.classes, np.asarray(label), strict=True) if held]
        return ", ".join(marked) or "(none)"
    if dataset.task in ("regression", "rating"):
        values = np.asarray(label, np.float64).ravel().tolist()
        if len(values) == 1:
            return f"{values[0]:g}"
        return ", ".join(f"{name} {value:g}" for name, value in zip(dataset.classes, values, strict=True))
    return ""
