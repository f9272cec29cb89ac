"""Rows of a table: its columns and their stored form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data import times
from lepton_lab.data.columns import MISSING, UNKNOWN
from lepton_lab.data.forms import text_rows
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.scaling import fit_scale
from lepton_lab.data.storage import save_chunks
from lepton_lab.data.table_codes import CategoryColumn, ColumnCode, DateColumn, NumberColumn, TextColumn
from lepton_lab.data.table_columns import Column
from lepton_lab.data.table_preparation import TablePreparation
from lepton_lab.data.tokens import Tokenizer, fit_tokenizer
from lepton_lab.specs import DataSpec

MAX_ONE_HOT = 64
"""Values of a column that get an input of their own: the most frequent ones of the training part."""

AUTO_ONE_HOT = 32
"""Columns with more values are embedded, unless it is asked for otherwise."""

MAX_EMBEDDED = 10_000
MAX_WORDS = 128
"""Words of a text column beside others that get an input each."""

_ROWS_PER_CHUNK = 16_384
_DAY, _YEAR = 86_400.0, 366 * 86_400.0


@dataclass
class TableMaterial(Material):
    """Rows of mixed columns.

    Attributes:
        columns: All columns but the targets, in the source's order.
        targets: Names of the target columns.
        missing: What to do about missing values, as in `DataSpec`.
        task_reason: Why it is this task.
    """

    columns: list[Column] = field(default_factory=list)
    targets: tuple[str, ...] = ("label",)
    missing: str = "auto"
    task_reason: str = ""
    _values: dict[str, list[str]] = field(default_factory=dict)
    _codes: dict[str, ColumnCode] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        return "table"

    @property
    def _used(self) -> list[Column]:
        return [column for column in self.columns if column.kind != "ignored" and not column.role]

    def split(self, spec: DataSpec) -> dict[str, np.ndarray]:
        parts = super().split(spec)
        if spec.outliers == "drop":
            parts["train"] = self._without_outliers(parts["train"])
        return parts

    def _without_outliers(self, train_rows: np.ndarray) -> np.ndarray:
        """Training rows with no number far outside; the other parts stay as they are, life is not trimmed."""
        keep = np.ones(len(train_rows), dtype=bool)
        for column in self._used:
            if column.kind == "number":
                values = column.cells.to_numpy()[train_rows]
                low, high = _fences(values)
                keep &= ~((values < low) | (values > high))
        if num_dropped := int((~keep).sum()):
            message = f"{num_dropped:,} of {len(keep):,} training rows have outliers and were left out, as asked."
            self.remarks.append(Remark("outliers_dropped", "note", message))
        return train_rows[keep]

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        fits = {"number": self._fit_number, "category": self._fit_category, "date": _fit_date, "text": _fit_text}
        self._codes = {column.name: fits[column.kind](column, train_rows, spec) for column in self._used}
        if any(column.kind == "text" for column in self._used):
            self.raw = text_rows(self._texts())
        names = tuple(column.name for column in self.columns)
        allows_missing = self.missing != "drop"
        return TablePreparation(tuple(self._codes.values()), names, self.targets, allows_missing=allows_missing)

    def _texts(self) -> list[str]:
        """The text columns of each row as JSON."""
        columns = {column.name: column.cells.to_list() for column in self._used if column.kind == "text"}
        names = list(columns)
        return [
            json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False)
            for cells in zip(*columns.values(), strict=True)
        ]

    def _fit_number(self, column: Column, train_rows: np.ndarray, spec: DataSpec) -> ColumnCode:
        values = column.cells.to_numpy()[train_rows]
        held = values[~np.isnan(values)]
        fill = float(np.median(held)) if len(held) else 0.0
        low, high = _fences(values) if spec.outliers == "clip" and len(held) else (None, None)
        filled = np.where(np.isnan(values), fill, values)
        if low is not None:
            filled = np.clip(filled, low, high)
        offset, divisor = fit_scale(filled[:, None], spec.normalize)
        return NumberColumn(column.name, fill, float(offset[0]), float(divisor[0]), low, high)

    def _fit_category(self, column: Column, train_rows: np.ndarray, spec: DataSpec) -> ColumnCode:
        """The training part's values are told apart; the others are remembered, so that a row can be shown."""
        trained = column.cells.gather(train_rows)
        texts, counts = np.unique(np.array(trained.drop_nulls().to_list(), dtype=str), return_counts=True)
        embedded = spec.categories == "embed" or (spec.categories == "auto" and len(texts) > AUTO_ONE_HOT)
        most = MAX_EMBEDDED if embedded else MAX_ONE_HOT
        frequent = np.sort(np.argsort(-counts, kind="stable")[:most])
        kept = texts[frequent].tolist()
        if len(kept) < len(texts):
            message = f"The column {column.name!r} has {len(texts):,} values; the {len(kept):,} most frequent are used."
            self.remarks.append(Remark("many_categories", "note", message))
        known = set(kept)
        self._values[column.name] = [*kept, *sorted(set(column.cells.drop_nulls().unique().to_list()) - known)]
        fills = self.missing == "fill" and len(kept) > 0
        most_frequent = int(np.argmax(counts[frequent])) if fills else None
        marks = self.missing == "auto" and trained.null_count() > 0
        return CategoryColumn(column.name, tuple(kept), most_frequent, marks, embedded)

    def write(self, path: Path, rows: np.ndarray) -> None:
        parts = (rows[start : start + _ROWS_PER_CHUNK] for start in range(0, len(rows), _ROWS_PER_CHUNK))
        chunks = (np.concatenate([self._stored(column, part) for column in self._used], axis=1) for part in parts)
        width = sum(code.stored for code in self._codes.values())
        save_chunks(path.with_name(path.name + ".npy"), np.dtype(np.float64), (len(rows), width), chunks)

    def _stored(self, column: Column, rows: np.ndarray) -> np.ndarray:
        """Stored cells of a column, float64 (M, stored)."""
        import polars as pl

        cells, code = column.cells.gather(rows), self._codes[column.name]
        if isinstance(code, TextColumn):
            return code.encode_all(cells.fill_null("").to_list())
        if isinstance(code, CategoryColumn):
            values = self._values[column.name]
            places = cells.replace_strict(values, list(range(len(values))), default=UNKNOWN, return_dtype=pl.Float64)
            cells = pl.select(pl.when(cells.is_null()).then(float(MISSING)).otherwise(places)).to_series()
        stored: np.ndarray = cells.to_numpy()[:, None]
        return stored

    def describe(self) -> dict[str, Any]:
        targets = [
            {"name": name, "kind": "target", "role": "target", "stored": 0, "missing": 0} for name in self.targets
        ]
        columns = [self._described(column) for column in self.columns]
        return {
            "target": self.targets[0],
            "targets": list(self.targets),
            "columns": columns + targets,
            "task_reason": self.task_reason,
        }

    def _described(self, column: Column) -> dict[str, Any]:
        code = self._codes.get(column.name)
        return {
            "name": column.name,
            "kind": column.kind,
            "role": column.role or column.kind,
            "missing": column.num_missing,
            "reason": column.reason,
            "whole": column.whole,
            "stored": code.stored if code else 0,
            "values": self._values.get(column.name, []),
        }


def _fences(values: np.ndarray) -> tuple[float, float]:
    """Three times the width of the middle half below and above it (Tukey's outer fences)."""
    held = values[~np.isnan(values)]
    if not len(held):
        return -np.inf, np.inf
    lower, upper = (float(value) for value in np.quantile(held, (0.25, 0.75)))
    width = upper - lower
    if width == 0:
        return float(held.min()), float(held.max())
    return lower - 3 * width, upper + 3 * width


def _fit_date(column: Column, train_rows: np.ndarray, spec: DataSpec) -> ColumnCode:
    values = column.cells.to_numpy()[train_rows]
    held = values[~np.isnan(values)]
    if not len(held):
        return DateColumn(column.name, column.form, 0.0, 0.0, 1.0)
    fill = float(np.median(held))
    offset, divisor = fit_scale(np.where(np.isnan(values), fill, values)[:, None], spec.normalize)
    cycles = ["year"] if held.max() - held.min() > _YEAR else []
    cycles += ["week"] if len(np.unique(times.day_of_week(held))) > 1 else []
    cycles += ["day"] if (held % _DAY != 0).any() else []
    return DateColumn(column.name, column.form, fill, float(offset[0]), float(divisor[0]), tuple(cycles))


def _fit_text(column: Column, train_rows: np.ndarray, spec: DataSpec) -> ColumnCode:
    texts = column.cells.gather(train_rows).drop_nulls().to_list()
    words = fit_tokenizer(texts, "words", MAX_WORDS + 2) if texts else Tokenizer("words", ())
    return TextColumn(column.name, words)
