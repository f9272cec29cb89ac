"""The card of a dataset: what a person should see before training.

Labels, column names, cell values and file names are data: the card holds them as they are, plain text without any
HTML, and whoever shows them escapes them.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lepton_lab.data.dataset import PreparedDataset
from lepton_lab.data.registry import DATASETS
from lepton_lab.data.splits import SPLIT_NAMES

NUM_SAMPLES = 12


@dataclass(frozen=True)
class DataCard:
    """A dataset at a glance; `to_dict` is ready for JSON.

    Attributes:
        name: The dataset's short name.
        title: The name that a person reads.
        task: "classification".
        modality: "image", "sequence" or "table".
        num_rows: Rows of all parts.
        rows: Rows by split name.
        input_shape: Shape of one prepared row.
        classes: Per class {"name", "rows", "fraction", "train", "validation", "test"}.
        columns: Tables: per column {"name", "kind" ("number", "category", "ignored"), "missing", "reason"}.
        samples: Up to a dozen rows of the training part: {"split", "row", "row_id", "label"} with "image" (a PNG as
            a data: URI), "values" (a dict by column) or "series" (nested lists, steps first).
        missing_values: Empty cells in the columns that are used.
        warnings: {"kind", "severity" ("error", "warning", "note"), "message"}, the gravest first.
        licence: Terms of use, where known.
        source: Page of the makers, where known.
        fingerprint: Names content and options.
    """

    name: str
    title: str
    task: str
    modality: str
    num_rows: int
    rows: dict[str, int]
    input_shape: list[int]
    classes: list[dict[str, Any]]
    columns: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    missing_values: int
    warnings: list[dict[str, str]]
    licence: str | None
    source: str | None
    fingerprint: str

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values."""
        return asdict(self)


def make_card(dataset: PreparedDataset) -> DataCard:
    """Draws up the card of a dataset."""
    info = DATASETS.get(dataset.spec.name) if dataset.spec.fingerprint is None else None
    rows = {name: len(dataset.splits[name]) for name in SPLIT_NAMES}
    columns = _columns(dataset)
    return DataCard(
        name=dataset.name,
        title=dataset.title,
        task=dataset.task,
        modality=dataset.modality,
        num_rows=sum(rows.values()),
        rows=rows,
        input_shape=list(dataset.input_shape),
        classes=_classes(dataset),
        columns=columns,
        samples=_samples(dataset),
        missing_values=sum(column["missing"] for column in columns if column["kind"] != "ignored"),
        warnings=list(dataset.meta["remarks"]),
        licence=info.licence if info else None,
        source=info.source if info else None,
        fingerprint=dataset.fingerprint,
    )


def _classes(dataset: PreparedDataset) -> list[dict[str, Any]]:
    counts = {
        name: np.bincount(dataset.splits[name].labels, minlength=dataset.num_classes).tolist() for name in SPLIT_NAMES
    }
    num_rows = max(1, sum(sum(part) for part in counts.values()))
    listed = []
    for number, label in enumerate(dataset.classes):
        by_split = {name: counts[name][number] for name in SPLIT_NAMES}
        rows = sum(by_split.values())
        listed.append({"name": label, "rows": rows, "fraction": rows / num_rows, **by_split})
    return listed


def _columns(dataset: PreparedDataset) -> list[dict[str, Any]]:
    shown = ("name", "kind", "missing", "reason")
    return [{key: column.get(key) for key in shown} for column in dataset.meta.get("columns", [])]


def _samples(dataset: PreparedDataset) -> list[dict[str, Any]]:
    split = "train" if len(dataset.splits["train"]) else "test"
    return [_sample(dataset, split, row) for row in _varied_rows(dataset.splits[split].labels)]


def _varied_rows(labels: np.ndarray) -> list[int]:
    """Rows that show every class in turn, as far as a dozen reaches."""
    by_class = [np.flatnonzero(labels == number)[:NUM_SAMPLES] for number in np.unique(labels)[:NUM_SAMPLES]]
    turns = [int(rows[turn]) for turn in range(NUM_SAMPLES) for rows in by_class if turn < len(rows)]
    return turns[:NUM_SAMPLES]


def _sample(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any]:
    part = dataset.splits[split]
    shown: dict[str, Any] = {
        "split": split,
        "row": row,
        "row_id": int(part.row_ids[row]),
        "label": dataset.classes[int(part.labels[row])],
    }
    if dataset.modality == "image":
        shown["image"] = "data:image/png;base64," + base64.b64encode(dataset.sample_png(split, row)).decode("ascii")
    elif dataset.modality == "table":
        shown["values"] = dataset.raw_sample(split, row)
    else:
        shown["series"] = np.asarray(dataset.raw_sample(split, row), np.float64).round(6).tolist()
    return shown
