"""A table in one file, or in one file per part (train, test) of a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.data import fingerprint
from lepton_lab.data.material import Material, Progress, Remark
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.storage import HasRoot, make_cache
from lepton_lab.data.tabular import Table, material_from_table, part_name
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    import polars as pl


_C45 = (".data", ".test")
"""The training and the test part of a dataset in the form of the C4.5 family."""


class TableFile(Source):
    """Rows of a table."""

    uses = frozenset({"target", "roles", "time_split"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._path = path

    @property
    def name(self) -> str:
        return path_name(self._path)

    def identity(self, store: HasRoot) -> str:
        return "table/" + fingerprint.of_files(store, self._path.parent, [self._path])

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.readers import read_table

        progress(f"Reading {self.title}", None)
        found = read_table(self._path, make_cache(store))
        title = repr(self._path.name)
        if self.spec.task in ("auto", "forecasting") and (series := as_series(found.table, self.spec, self._path.name)):
            return series
        return material_from_table(found.table, self.spec, title, parts=found.parts, remarks=found.remarks)


def as_series(table: Table, spec: DataSpec, title: str) -> Material | None:
    """The table as a series to forecast, where that is asked for, or where it is one by its look."""
    from lepton_lab.data.series_material import looks_like_series, series_from_frame

    if spec.task == "auto" and spec.horizon is None and (spec.target is not None or spec.roles is not None):
        return None
    frame = _whole(table)
    if spec.task == "forecasting" or looks_like_series(frame, spec):
        return series_from_frame(frame, spec, title)
    return None


class TableFolder(Source):
    """A folder with a table for each part: train.csv and test.csv, adult.data and adult.test, train-0.parquet, ..."""

    uses = frozenset({"target", "roles"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._root = path

    @property
    def name(self) -> str:
        return path_name(self._root)

    def identity(self, store: HasRoot) -> str:
        return "tables/" + fingerprint.of_files(store, self._root, [file for file, _ in part_files(self._root)])

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.readers import read_table

        files = part_files(self._root)
        frames: list[pl.DataFrame] = []
        remarks: list[Remark] = []
        parts: list[np.ndarray] = []
        for number, (file, part) in enumerate(files):
            progress(f"Reading {file.name}", number / len(files))
            found = read_table(file, make_cache(store))
            frames.append(_whole(found.table))
            remarks += found.remarks
            parts.append(np.full(frames[-1].height, part, dtype=object))
        return material_from_table(
            _joined(frames, [file for file, _ in files]),
            self.spec,
            repr(self._root.name),
            parts=np.concatenate(parts),
            remarks=[*remarks, *self._left_out(files)],
        )

    def _left_out(self, files: list[tuple[Path, str]]) -> list[Remark]:
        used = {file for file, _ in files}
        others = [file.name for file in sorted(self._root.iterdir()) if file.is_file() and file not in used]
        others = [name for name in others if not name.lower().startswith(("readme", "licen", "."))]
        if not others:
            return []
        shown = ", ".join(map(repr, others[:3])) + (" and others" if len(others) > 3 else "")
        return [Remark("files_left_out", "note", f"{len(others):,} files name no part and were left out: {shown}.")]


def part_files(root: Path) -> list[tuple[Path, str]]:
    """The tables of a folder that are called after a part, in a stable order; empty without a training table."""
    from lepton_lab.data.readers import TABLE_SUFFIXES

    found = []
    for file in sorted(root.iterdir()):
        suffix = file.suffix.lower()
        if not file.is_file() or suffix not in TABLE_SUFFIXES or file.name.startswith("."):
            continue
        word = re.split(r"[^A-Za-z]+", file.stem)
        part = part_name(word[0]) or part_name(word[-1] or word[0])
        if part is None and all(file.with_suffix(end).exists() for end in _C45) and suffix in _C45:
            part = "train" if suffix == ".data" else "test"
        if part:
            found.append((file, part))
    return found if "train" in {part for _, part in found} else []


def _whole(table: Table) -> pl.DataFrame:
    import polars as pl

    return table if isinstance(table, pl.DataFrame) else pl.DataFrame([table[name] for name in table.columns])


def _joined(frames: list[pl.DataFrame], files: list[Path]) -> pl.DataFrame:
    """The tables one below the other; they have the same columns."""
    import polars as pl

    first = frames[0].columns
    for frame, file in zip(frames, files, strict=True):
        if set(frame.columns) != set(first):
            differing = sorted(set(first) ^ set(frame.columns))
            raise DataError(
                f"{file.name!r} and {files[0].name!r} have different columns ({', '.join(map(repr, differing[:5]))}); "
                "the parts of a dataset have the same."
            )
    return pl.concat([frame.select(first) for frame in frames], how="vertical_relaxed")
