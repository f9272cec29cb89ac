"""A dataset as a person holds it: what was asked (`DataSpec`) and what came of it (`PreparedDataset`)."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import DataError, UnknownName
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count
from lepton_lab.specs import DataSpec
from lepton_lab.words import N_, _

if TYPE_CHECKING:
    from lepton_lab.data import DataCard, PreparedDataset
    from lepton_lab.data.material import Progress
    from lepton_lab.runs import Store

PARTS = {"train": N_("training"), "validation": N_("validation"), "test": N_("test")}
"""The parts of a dataset, as a person reads them."""


class Dataset(Shown):
    """A loaded dataset. Made by `load_data`; rows and pictures are read from the store's cache when asked for."""

    def __init__(self, spec: DataSpec, store: Store) -> None:
        self.spec, self.store = spec, store

    @cached_property
    def prepared(self) -> PreparedDataset:
        """The splits, ready for training; inputs are memory-mapped arrays."""
        from lepton_lab.data import load

        return load(self.spec, self.store)

    def prepare(self, progress: Progress | None = None) -> Dataset:
        """Loads and prepares the rows now instead of when they are first asked for.

        Args:
            progress: Told what is being done and which share is done; may raise to cancel.
        """
        from lepton_lab.data import load

        if "prepared" not in vars(self):
            vars(self)["prepared"] = load(self.spec, self.store, progress)
        return self

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.prepared.name

    @property
    def modality(self) -> str:
        """What a row is: "image", "table", "text", ..."""
        return self.prepared.modality

    @property
    def classes(self) -> list[str]:
        """The labels that can be predicted."""
        return list(self.prepared.classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row, without the batch."""
        return tuple(self.prepared.input_shape)

    @property
    def num_rows(self) -> dict[str, int]:
        """Rows of the parts: train, validation, test."""
        return {part: len(split.labels) for part, split in self.prepared.splits.items()}

    @cached_property
    def card(self) -> DataCard:
        """Counts, classes, samples and warnings."""
        return self.prepared.card()

    def to_dict(self) -> dict[str, Any]:
        return {**self.card.to_dict(), "name": self.name, "spec": self.spec.given()}

    def __str__(self) -> str:
        rows = ", ".join(f"{count(number)} {_(PARTS.get(part, part))}" for part, number in self.num_rows.items())
        learnt = _(f"{len(self.classes)} classes") if self.prepared.task == "classification" else _(self.prepared.task)
        return _(f"{self.name}: {self.modality}, {learnt}, rows: {rows}")


def dataset_from(source: Any, store: Store, namespace: dict[str, Any], options: dict[str, Any]) -> Dataset:
    """A dataset from a name, a path, a variable's name, arrays or a frame.

    Raises:
        UnknownName: If a name is no known dataset, no path and no variable.
        DataError: If the data cannot be read.
        SpecError: If an option cannot have its value.
    """
    if isinstance(source, Dataset):
        return Dataset(source.spec.changed(**options), store) if options else source
    if isinstance(source, str) and source in namespace and not _is_known(source) and "connection" not in options:
        return dataset_from(namespace[source], store, namespace, {"name": _as_name(source), **options})
    if isinstance(source, str | Path):
        return _named(str(source), store, namespace, options)
    return _from_memory(source, store, dict(options))


def _is_known(name: str) -> bool:
    from lepton_lab.data import known_names

    return name in known_names() or Path(name).expanduser().exists()


def _named(name: str, store: Store, namespace: dict[str, Any], options: dict[str, Any]) -> Dataset:
    if not _is_known(name) and not _looks_like_a_path(name) and options.get("connection") is None:
        from lepton_lab.data import known_names

        raise UnknownName("dataset", name, [*known_names(), *(n for n, v in namespace.items() if is_frame(v))])
    return Dataset(DataSpec.parse({"name": name, **options}), store)


def _looks_like_a_path(name: str) -> bool:
    from lepton_lab.data.sources.find import ARRAY_SUFFIXES, TABLE_SUFFIXES

    return "/" in name or name.lower().endswith((*TABLE_SUFFIXES, *ARRAY_SUFFIXES, ".ts", ".zip", ".tar", ".gz"))


def _from_memory(source: Any, store: Store, options: dict[str, Any]) -> Dataset:
    from lepton_lab.data import from_arrays
    from lepton_lab.data.foreign import holds_labels

    labels = options.pop("target", None)
    classes = options.pop("classes", None)
    if isinstance(source, tuple) and len(source) == 2:
        source, labels = source
    if labels is None and options.get("task") == "forecasting" and not holds_labels(source):
        from lepton_lab.data.series_material import frame_of_series

        source = frame_of_series(source)
    if labels is None and not holds_labels(source):
        raise DataError("The labels are missing: load_data((inputs, labels)) or load_data(inputs, target=labels).")
    if holds_labels(source) and (labels is None or isinstance(labels, str)):
        spec = from_arrays(source, None, target=labels, classes=classes, store=store, **options)
    else:
        spec = from_arrays(source, labels, classes=classes, store=store, **options)
    return Dataset(spec, store)


def is_frame(value: Any) -> bool:
    """Whether this is a pandas or polars data frame, told without importing either."""
    for library in ("pandas", "polars"):
        frame = getattr(sys.modules.get(library), "DataFrame", None)
        if frame is not None and isinstance(value, frame):
            return True
    return False


def _as_name(variable: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in variable)[:64]
