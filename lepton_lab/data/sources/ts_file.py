"""Time-series files: `<Name>_TRAIN.ts` with `<Name>_TEST.ts` beside it, or one file that is split here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lepton_lab.data import fingerprint
from lepton_lab.data.labels import encode_labels
from lepton_lab.data.material import Material, Progress, Remark, SequenceMaterial
from lepton_lab.data.ragged_sequences import RaggedSequenceMaterial
from lepton_lab.data.rows import Ragged
from lepton_lab.data.sources.base import Source, slug
from lepton_lab.data.storage import HasRoot
from lepton_lab.data.ts_text import Cases, read_ts
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

_PAIR = re.compile(r"(?P<name>.+)_(?P<part>train|test)(?P<end>\.ts(\.gz)?)", re.IGNORECASE)


def pair_of(path: Path) -> dict[str, Path]:
    """The files of a problem by part: a file's own, its partner's where it has one, "all" where it has none."""
    match = _PAIR.fullmatch(path.name)
    if match is None:
        return {"all": path}
    beside = {file.name.lower(): file for file in path.parent.iterdir()}
    named = {part: f"{match['name']}_{part}{match['end']}".lower() for part in ("train", "test")}
    found = {part: beside[name] for part, name in named.items() if name in beside}
    return found if len(found) == 2 else {"all": path}


class TsFile(Source):
    """Labelled time series; the official parts are kept."""

    uses = frozenset({"missing"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        self._files = pair_of(path)
        if len(self._files) == 2:
            # Whichever of the two was named: the same dataset under the same name.
            spec = spec.changed(name=str(self._files["train"]))
        super().__init__(spec, self._stem(path))

    def _stem(self, path: Path) -> str:
        match = _PAIR.fullmatch(path.name)
        return match["name"] if match else path.name.removesuffix(".gz").removesuffix(".ts")

    @property
    def name(self) -> str:
        return slug(self.title)

    def identity(self, store: HasRoot) -> str:
        files = list(self._files.values())
        return "ts/" + "/".join(self._files) + fingerprint.of_files(store, files[0].parent, files)

    def read(self, store: HasRoot, progress: Progress) -> Material:
        progress(f"Reading {self.title}", None)
        parts = {part: read_ts(file) for part, file in self._files.items()}
        first, *others = parts.values()
        dimensions = {part: cases.series[0].shape[1] for part, cases in parts.items()}
        if len(set(dimensions.values())) > 1:
            said = ", ".join(f"{self._files[part].name!r} has {number}" for part, number in dimensions.items())
            raise DataError(f"The parts of {self.title} have different numbers of dimensions: {said}.")
        cases = _joined([first, *others])
        official: dict[str, np.ndarray] = {}
        if "test" in parts:
            num_train = len(first.series)
            official = {"train": np.arange(num_train), "test": np.arange(num_train, len(cases.series))}
        remarks = self._fill_missing(cases)
        return self._material(cases, official, remarks)

    def _fill_missing(self, cases: Cases) -> list[Remark]:
        """Missing values are drawn in from their neighbours in time; a series without any value is refused."""
        num_filled = 0
        for number, series in enumerate(cases.series):
            absent = np.isnan(series)
            if not absent.any():
                continue
            if absent.all(axis=0).any():
                dimension = int(np.flatnonzero(absent.all(axis=0))[0]) + 1
                raise DataError(f"{self.title}, line {cases.lines[number]}: dimension {dimension} has no value at all.")
            num_filled += int(absent.sum())
            steps = np.arange(len(series))
            for place in np.flatnonzero(absent.any(axis=0)):
                held = ~absent[:, place]
                series[absent[:, place], place] = np.interp(steps[~held], steps[held], series[held, place])
        if not num_filled:
            return []
        message = f"{num_filled:,} missing values were filled in from the values before and after them."
        return [Remark("missing_filled", "note", message)]

    def _material(self, cases: Cases, official: dict[str, np.ndarray], remarks: list[Remark]) -> Material:
        if not cases.labels:
            raise DataError(f"{self.title} has no labels (@classLabel false); there is nothing to learn.")
        rows, task = np.arange(len(cases.series)), "classification"
        if cases.is_regression:
            task, classes = "regression", ["target"]
            labels = self._numbers(cases)
        else:
            classes, labels = encode_labels(np.array(cases.labels), f"The label of {self.title}")
        if len({len(series) for series in cases.series}) == 1:
            stacked = np.stack(cases.series)
            return SequenceMaterial(classes, labels, rows, official, remarks, task=task, sequences=stacked)
        ragged = Ragged.of(cases.series)
        return RaggedSequenceMaterial(classes, labels, rows, official, remarks, task=task, sequences=ragged)

    def _numbers(self, cases: Cases) -> np.ndarray:
        try:
            numbers = np.array([float(label) for label in cases.labels], np.float32)
        except ValueError as error:
            raise DataError(f"{self.title} has a target that is no number ({error}).") from None
        if not np.isfinite(numbers).all():
            line = cases.lines[int(np.flatnonzero(~np.isfinite(numbers))[0])]
            raise DataError(f"{self.title}, line {line}: the target is not a finite number.")
        return numbers[:, None]


def _joined(parts: list[Cases]) -> Cases:
    whole = Cases(classes=parts[0].classes, is_regression=parts[0].is_regression)
    for part in parts:
        whole.series += part.series
        whole.labels += part.labels
        whole.lines += part.lines
    return whole
