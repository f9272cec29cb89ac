"""The card of a dataset: what a person should see before training.

Labels, column names, cell values and file names are data: the card holds them as they are, plain text without any
HTML, and whoever shows them escapes them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lepton_lab.data.dataset import PreparedDataset
from lepton_lab.data.registry import find_info
from lepton_lab.data.samples import sample, varied_rows
from lepton_lab.data.splits import SPLIT_NAMES


@dataclass(frozen=True)
class DataCard:
    """A dataset at a glance; `to_dict` is ready for JSON.

    Attributes:
        name: The dataset's short name.
        title: The name that a person reads.
        task: A name of `specs.TASKS`.
        modality: What a row is, as in `specs.Problem`.
        num_rows: Rows of all parts.
        rows: Rows by split name.
        input_shape: Shape of one prepared row.
        classes: Classification and multi-label: per class {"name", "rows", "fraction", "train", "validation", "test"};
            detection: the same of boxes.
        targets: Regression, rating: per target {"name", "least", "mean", "greatest", "std", "histogram"}: the counts
            of the training rows in 20 equal steps from the least to the greatest value.
        columns: Tables: per column {"name", "kind", "role", "missing", "reason"}. Kinds: "number", "category", "date",
            "text", "ignored"; the role is the kind, or "target", "group", "time", "split", "user", "item", "rating".
        samples: Up to a dozen rows of the training part: {"split", "row", "row_id", "label"} with "image" (a PNG as
            a data: URI), "values" (a dict by column), "text", or "series" (nested lists, steps first). Sounds have
            "audio" (a WAV file as a data: URI), "seconds", and their waveform as "image"; pictures with boxes have
            "boxes" ({"label", "box"}); forecasts have "ahead", what came after the series.
        missing_values: Empty cells in the columns that are used.
        warnings: {"kind", "severity" ("error", "warning", "note"), "message"}, the gravest first.
        licence: Terms of use, where known.
        source: Page of the makers, where known.
        fingerprint: Names content and options.
        task_reason: Why it is this task, in a few words; it can be set with the option `task`.
        citation: How to cite it, where known.
        details: Further figures by name: "vocabulary", "max_length", "num_users", "num_items", ...
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
    targets: list[dict[str, Any]] = field(default_factory=list)
    task_reason: str = ""
    citation: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values."""
        return asdict(self)


def make_card(dataset: PreparedDataset) -> DataCard:
    """Draws up the card of a dataset."""
    info = find_info(dataset.spec.name) if dataset.spec.fingerprint is None else None
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
        targets=_targets(dataset),
        task_reason=str(dataset.meta.get("task_reason", "")),
        citation=info.citation if info else None,
        details=_details(dataset),
    )


def _classes(dataset: PreparedDataset) -> list[dict[str, Any]]:
    if dataset.task not in ("classification", "multilabel", "detection"):
        return []
    counts = {name: _counts(dataset, name).tolist() for name in SPLIT_NAMES}
    num_rows = max(1, sum(len(part) for part in dataset.splits.values()))
    if dataset.task == "detection":
        num_rows = max(1, sum(sum(part) for part in counts.values()))
    listed = []
    for number, label in enumerate(dataset.classes):
        by_split = {name: counts[name][number] for name in SPLIT_NAMES}
        rows = sum(by_split.values())
        listed.append({"name": label, "rows": rows, "fraction": rows / num_rows, **by_split})
    return listed


def _counts(dataset: PreparedDataset, split: str) -> np.ndarray:
    """Rows of each class in a part; boxes where rows have boxes."""
    if dataset.task == "detection":
        boxes = dataset.splits[split].labels.values
        return np.bincount(boxes[:, 4].astype(np.int64), minlength=dataset.num_classes)
    labels = np.asarray(dataset.splits[split].labels)
    if dataset.task == "multilabel":
        counts: np.ndarray = labels.reshape(-1, dataset.num_classes).sum(axis=0).astype(np.int64)
        return counts
    return np.bincount(labels, minlength=dataset.num_classes)


def _targets(dataset: PreparedDataset) -> list[dict[str, Any]]:
    if dataset.task not in ("regression", "rating"):
        return []
    labels = np.asarray(dataset.splits["train"].labels, np.float64)
    if not len(labels):
        return []
    columns = labels.reshape(len(labels), -1).T
    names = dataset.classes or [dataset.task]
    return [
        {
            "name": name,
            "least": float(values.min()),
            "mean": float(values.mean()),
            "greatest": float(values.max()),
            "std": float(values.std()),
            "histogram": np.histogram(values, bins=20)[0].tolist(),
        }
        for name, values in zip(names, columns, strict=False)
    ]


def _columns(dataset: PreparedDataset) -> list[dict[str, Any]]:
    shown = ("name", "kind", "missing", "reason")
    return [
        {**{key: column.get(key) for key in shown}, "role": column.get("role") or column["kind"]}
        for column in dataset.meta.get("columns", [])
    ]


def _samples(dataset: PreparedDataset) -> list[dict[str, Any]]:
    split = "train" if len(dataset.splits["train"]) else "test"
    part = dataset.splits[split]
    labels = part.labels if dataset.task == "classification" else None
    return [sample(dataset, split, row) for row in varied_rows(len(part), labels)]


def _details(dataset: PreparedDataset) -> dict[str, Any]:
    problem = dataset.problem
    figures = {
        "vocabulary": problem.vocabulary,
        "max_length": problem.input_shape[0] if problem.has_lengths else 0,
        "num_users": problem.num_users,
        "num_items": problem.num_items,
        "embedded_columns": len(problem.cardinalities),
    }
    return {**{name: value for name, value in figures.items() if value}, **dataset.meta.get("details", {})}
