"""A frame as something to train on: its target, its columns and their stored form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.columns import MISSING, NULL_WORDS, UNKNOWN
from lepton_lab.data.labels import encode_labels, number_labels
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.scaling import fit_scale
from lepton_lab.data.storage import save_chunks
from lepton_lab.data.table_columns import MIN_ROWS_TO_JUDGE, Column, clean_texts, read_column
from lepton_lab.data.table_preparation import CategoryColumn, NumberColumn, TablePreparation
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    import polars as pl

MAX_CATEGORIES = 64
"""Values of a column that get an input of their own: the most frequent ones of the training part."""

TARGET_NAMES = ("label", "target", "class", "y")
_ROWS_PER_CHUNK = 16_384
# "None" may well be a class ("no defect"), so it is not read as a missing label.
_NO_LABEL = NULL_WORDS - {"none"}


@dataclass
class TableMaterial(Material):
    """Rows of mixed columns.

    Attributes:
        columns: All columns but the target, in the source's order.
        target: Name of the target column.
        missing: What to do about missing values, as in `DataSpec`.
    """

    columns: list[Column] = field(default_factory=list)
    target: str = "label"
    missing: str = "auto"
    _values: dict[str, list[str]] = field(default_factory=dict)

    @property
    def modality(self) -> str:
        return "table"

    @property
    def _used(self) -> list[Column]:
        return [column for column in self.columns if column.kind != "ignored"]

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        fitted = [
            self._fit_number(column, train_rows, spec.normalize)
            if column.kind == "number"
            else self._fit_category(column, train_rows)
            for column in self._used
        ]
        names = tuple(column.name for column in self.columns)
        return TablePreparation(tuple(fitted), names, self.target, allows_missing=self.missing != "drop")

    def _fit_number(self, column: Column, train_rows: np.ndarray, normalize: str) -> NumberColumn:
        values = column.cells.to_numpy()[train_rows]
        held = values[~np.isnan(values)]
        fill = float(np.median(held)) if len(held) else 0.0
        offset, divisor = fit_scale(np.where(np.isnan(values), fill, values)[:, None], normalize)
        return NumberColumn(column.name, fill, float(offset[0]), float(divisor[0]))

    def _fit_category(self, column: Column, train_rows: np.ndarray) -> CategoryColumn:
        """The training part's values get an input each; the others are remembered, so that a row can be shown."""
        trained = column.cells.gather(train_rows)
        texts, counts = np.unique(np.array(trained.drop_nulls().to_list(), dtype=str), return_counts=True)
        frequent = np.sort(np.argsort(-counts, kind="stable")[:MAX_CATEGORIES])
        kept = texts[frequent].tolist()
        if len(kept) < len(texts):
            message = f"The column {column.name!r} has {len(texts):,} values; the {len(kept)} most frequent are used."
            self.remarks.append(Remark("many_categories", "note", message))
        others = sorted(set(column.cells.drop_nulls().unique().to_list()) - set(kept))
        self._values[column.name] = [*kept, *others]
        fills = self.missing == "fill" and len(kept) > 0
        most_frequent = int(np.argmax(counts[frequent])) if fills else None
        marks = self.missing == "auto" and trained.null_count() > 0
        return CategoryColumn(column.name, tuple(kept), most_frequent, marks)

    def write(self, path: Path, rows: np.ndarray) -> None:
        parts = (rows[start : start + _ROWS_PER_CHUNK] for start in range(0, len(rows), _ROWS_PER_CHUNK))
        chunks = (np.stack([self._stored(column, part) for column in self._used], axis=1) for part in parts)
        save_chunks(path.with_name(path.name + ".npy"), np.dtype(np.float64), (len(rows), len(self._used)), chunks)

    def _stored(self, column: Column, rows: np.ndarray) -> np.ndarray:
        import polars as pl

        cells = column.cells.gather(rows)
        if column.kind == "number":
            return cells.to_numpy()
        values = self._values[column.name]
        places = cells.replace_strict(values, list(range(len(values))), default=UNKNOWN, return_dtype=pl.Float64)
        return pl.select(pl.when(cells.is_null()).then(float(MISSING)).otherwise(places)).to_series().to_numpy()

    def describe(self) -> dict[str, Any]:
        return {"target": self.target, "columns": [self._described(column) for column in self.columns]}

    def _described(self, column: Column) -> dict[str, Any]:
        return {
            "name": column.name,
            "kind": column.kind,
            "missing": column.num_missing,
            "reason": column.reason,
            "whole": column.whole,
            "values": self._values.get(column.name, []),
        }


def table_from_frame(
    frame: pl.DataFrame, *, target: str | None, missing: str, title: str, classes: Sequence[str] | None = None
) -> Material:
    """Makes a frame ready for training.

    Args:
        frame: Columns of any plain type.
        target: The column to predict; default: one called label, target, class or y, else the last one.
        missing: "auto", "drop" or "fill", as in `DataSpec`.
        title: How to call the table in an error.
        classes: Names of the classes, where the target holds positions in that list.

    Raises:
        DataError: Names the column and row that is wrong.
        UnknownName: When there is no column of the target's name.
    """
    import polars as pl

    target = choose_target(frame.columns, target, title)
    columns = [read_column(frame[name]) for name in frame.columns if name != target]
    labelled = _labels(frame[target])
    keep = labelled.is_not_null().to_numpy()
    remarks = [remark for column in columns if (remark := _about(column))]
    if not keep.all():
        message = f"{int((~keep).sum()):,} rows have no value in the target {target!r} and were left out."
        remarks.append(Remark("missing_target", "warning", message))
    if missing == "drop":
        keep = _complete(columns, keep, remarks)
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise DataError(f"{title} has no row with a label{' and all values' if missing == 'drop' else ''}.")
    for column in columns:
        column.cells = column.cells.gather(rows)
    what = f"The target column {target!r} of {title}"
    names, numbers = _classes(labelled.gather(rows), classes, what)
    if not any(column.kind != "ignored" for column in columns):
        texts = [column for column in columns if column.cells.dtype == pl.String and column.remark != "date_column"]
        if len(texts) == 1:
            return _texts(texts[0], columns, names, numbers, rows, remarks)
        raise DataError(f"{title} has no column to learn from beside the target {target!r}.")
    remarks += [_leak(column, target) for column in columns if _tells_label(column, numbers, len(names))]
    return TableMaterial(names, numbers, rows, remarks=remarks, columns=columns, target=target, missing=missing)


def _texts(
    column: Column,
    columns: list[Column],
    names: list[str],
    numbers: np.ndarray,
    rows: np.ndarray,
    remarks: list[Remark],
) -> Material:
    from lepton_lab.data.text_material import TextMaterial

    column.kind, kept = "text", [remark for remark in remarks if repr(column.name) not in remark.message]
    described = [
        {
            "name": one.name,
            "kind": one.kind,
            "missing": one.num_missing,
            "reason": None if one is column else one.reason,
        }
        for one in columns
    ]
    texts = column.cells.fill_null("").to_list()
    return TextMaterial(names, numbers, rows, remarks=kept, texts=texts, field_name=column.name, columns=described)


def choose_target(names: Sequence[str], target: str | None, title: str) -> str:
    """The column to predict.

    Raises:
        UnknownName: When the asked one is not there.
        DataError: When there are not two columns.
    """
    if len(names) < 2:
        raise DataError(f"{title} has {len(names)} column; expected the columns to learn from and the target.")
    if target is not None:
        if target not in names:
            raise UnknownName("column", target, names)
        return target
    by_small = {name.strip().lower(): name for name in reversed(names)}
    return next((by_small[name] for name in TARGET_NAMES if name in by_small), names[-1])


def _labels(series: pl.Series) -> pl.Series:
    """The target's cells: numbers as Float64, everything else as texts, null where there is no label."""
    import polars as pl

    if series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise DataError(f"The target column {series.name!r} holds {series.dtype}; expected a class in each cell.")
    texts = clean_texts(series.cast(pl.String), _NO_LABEL)
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _classes(labelled: pl.Series, classes: Sequence[str] | None, what: str) -> tuple[list[str], np.ndarray]:
    values = labelled.to_numpy() if labelled.dtype.is_numeric() else np.array(labelled.to_list(), dtype=str)
    if classes is None:
        return encode_labels(values, what)
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    return list(classes), number_labels(values, classes, what)


def _complete(columns: list[Column], keep: np.ndarray, remarks: list[Remark]) -> np.ndarray:
    complete = keep.copy()
    for column in columns:
        if column.kind != "ignored":
            complete &= column.cells.is_not_null().to_numpy()
    if num_dropped := int(keep.sum() - complete.sum()):
        message = f"{num_dropped:,} of {int(keep.sum()):,} rows have missing values and were left out, as asked."
        remarks.append(Remark("rows_dropped", "note", message))
    return complete


def _about(column: Column) -> Remark | None:
    if column.remark is None:
        return None
    return Remark(column.remark, "warning", f"The column {column.name!r} {column.reason}; it is not used.")


def _leak(column: Column, target: str) -> Remark:
    message = (
        f"The column {column.name!r} tells the target {target!r} exactly. If it is not known before the label is, "
        "leave it out: the network would learn nothing else."
    )
    return Remark("leak", "warning", message)


def _tells_label(column: Column, numbers: np.ndarray, num_classes: int) -> bool:
    """Whether each value of a column goes with a single class, and the values are few enough to be classes."""
    import polars as pl

    if column.kind == "ignored" or num_classes < 2 or len(numbers) < MIN_ROWS_TO_JUDGE:
        return False
    num_values = column.cells.n_unique()
    if not num_classes <= num_values <= 2 * num_classes or num_values * 2 > len(numbers):
        return False
    pairs = pl.DataFrame({"value": column.cells, "label": numbers})
    return pairs.n_unique() == num_values
