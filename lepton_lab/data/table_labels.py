"""The target of a table: which task it poses, and the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.data.columns import MAX_NUMBER, NULL_WORDS
from lepton_lab.data.labels import MAX_CLASSES, encode_labels, number_labels
from lepton_lab.data.table_columns import clean_texts
from lepton_lab.errors import DataError, SpecError, UnknownName

if TYPE_CHECKING:
    import polars as pl

TARGET_NAMES = ("label", "target", "class", "y", "labels")
_CLASS_NAMES = frozenset({"label", "class", "category"})
_MAX_WHOLE_CLASSES = 20
_ROWS_PER_WHOLE_CLASS = 20
# "None" may well be a class ("no defect"), so it is not read as a missing label.
_NO_LABEL = NULL_WORDS - {"none"}
SEPARATOR = "|"
"""Between the labels of a cell that has several."""


@dataclass(frozen=True)
class Labels:
    """What a target holds.

    Attributes:
        task: "classification", "multilabel" or "regression".
        reason: Why it is this task, as a few words for the card.
        classes: Names of the classes, labels or targets.
        values: Class numbers (M,) int64, 0 and 1 (M, K) float32, or numbers (M, K) float64, of the labelled rows.
        rows: Which rows of the source have a label (M,), int64.
    """

    task: str
    reason: str
    classes: list[str]
    values: np.ndarray
    rows: np.ndarray


def choose_targets(names: Sequence[str], target: str | None, roles: dict[str, str], title: str) -> list[str]:
    """The columns to predict.

    Args:
        names: All columns.
        target: The option: a column, or several with commas.
        roles: Roles that were set.
        title: How to call the table in an error.

    Raises:
        UnknownName: When an asked one is not there.
        DataError: When there are not two columns.
    """
    if len(names) < 2:
        raise DataError(f"{title} has {len(names)} column; expected the columns to learn from and the target.")
    asked = [name for name, role in roles.items() if role == "target"]
    if target is not None:
        asked = [target] if target in names else [name.strip() for name in target.split(",")]
    for name in asked:
        if name not in names:
            raise UnknownName("column", name, names)
    if asked:
        return asked
    free = [name for name in names if name not in roles]
    by_small = {name.strip().lower(): name for name in reversed(free)}
    found = next((by_small[name] for name in TARGET_NAMES if name in by_small), None)
    if found is None and not free:
        raise DataError(f"{title} has a role for every column and no target; name it with target or roles.")
    return [found or free[-1]]


def read_labels(targets: Sequence[pl.Series], task: str, classes: Sequence[str] | None, title: str) -> Labels:
    """Labels of the target columns.

    Args:
        targets: One column, or several.
        task: "classification", "multilabel", "regression", or "auto".
        classes: Names of the classes, where a target holds positions in that list.
        title: How to call the table in an error.

    Raises:
        DataError: Names the column whose values do not fit the task.
        SpecError: The task is none of a table.
    """
    if task not in ("auto", "classification", "multilabel", "regression"):
        raise SpecError(f"data: task is {task!r}; {title} is a table with a target. Expected classification, "
                        "multilabel or regression.")  # fmt: skip
    what = f"The target column {targets[0].name!r} of {title}"
    if len(targets) > 1:
        return _several(targets, task, title)
    series = targets[0]
    if _is_list(series) or task == "multilabel" or (task == "auto" and _has_separated(series)):
        return _marked(series, what)
    cells = _cells(series, what)
    rows = np.flatnonzero(cells.is_not_null().to_numpy())
    held = cells.gather(rows)
    if task == "auto":
        task, reason = _told(held, series.name, classes)
    else:
        reason = "as asked"
    if task == "regression":
        return Labels(task, reason, [series.name], _numbers(held, what)[:, None], rows)
    names, values = _classes(held, classes, what)
    return Labels(task, reason, names, values, rows)


def _is_list(series: pl.Series) -> bool:
    import polars as pl

    return isinstance(series.dtype, pl.List | pl.Array)


def _cells(series: pl.Series, what: str) -> pl.Series:
    """The target's cells: numbers as Float64, everything else as texts, null where there is no label."""
    import polars as pl

    if series.dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        raise DataError(f"{what} holds {series.dtype}; expected a class or a number in each cell.")
    texts = clean_texts(series.cast(pl.String), _NO_LABEL)
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == texts.null_count() else texts


def _told(held: pl.Series, name: str, classes: Sequence[str] | None) -> tuple[str, str]:
    """The task that the values of a target pose, and why."""
    if classes is not None:
        return "classification", "the classes are given"
    if not held.dtype.is_numeric():
        return "classification", f"the target {name!r} holds texts"
    values = held.unique().sort().to_numpy()
    if not (values == np.rint(values)).all():
        return "regression", f"the target {name!r} holds decimal numbers"
    span = f"{len(values):,} different whole numbers"
    if len(values):
        span = f"{len(values):,} different whole numbers from {values[0]:g} to {values[-1]:g}"
    task = "classification" if _are_class_numbers(values, len(held), name) else "regression"
    return task, f"the target {name!r} holds {span}"


def _are_class_numbers(values: np.ndarray, num_rows: int, name: str) -> bool:
    """Whether whole numbers are names of classes: two values, or few without large gaps that begin at 0 or 1."""
    if len(values) <= 2:
        return True
    if name.strip().lower() in _CLASS_NAMES and len(values) <= MAX_CLASSES:
        return len(values) <= _MAX_WHOLE_CLASSES or num_rows >= 2 * len(values)
    begins = values[0] in (0, 1) and values[-1] <= 2 * len(values)
    if len(values) <= _MAX_WHOLE_CLASSES:
        return bool(begins) and num_rows >= 2 * len(values)
    return bool(begins) and len(values) <= 200 and num_rows >= _ROWS_PER_WHOLE_CLASS * len(values)


def _numbers(held: pl.Series, what: str) -> np.ndarray:
    if not held.dtype.is_numeric():
        stray = held.filter(held.cast(float, strict=False).is_null())[0]
        raise DataError(f"{what} holds {str(stray)[:60]!r}; regression needs a number in each row.")
    values: np.ndarray = held.to_numpy().astype(np.float64)
    if not np.isfinite(values).all() or (np.abs(values) > MAX_NUMBER).any():
        raise DataError(f"{what} holds infinity, or a number above {MAX_NUMBER:g}; expected finite numbers.")
    return values


def _classes(held: pl.Series, classes: Sequence[str] | None, what: str) -> tuple[list[str], np.ndarray]:
    values = held.to_numpy() if held.dtype.is_numeric() else np.array(held.to_list(), dtype=str)
    if classes is None:
        return encode_labels(values, what)
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    return list(classes), number_labels(values, classes, what)


def _has_separated(series: pl.Series) -> bool:
    """Whether cells hold several labels ("a|b"): some have the separator, and the parts come again."""
    import polars as pl

    if series.dtype != pl.String:
        return False
    held = series.drop_nulls()
    several = held.filter(held.str.contains(SEPARATOR, literal=True))
    if len(several) < max(1, len(held) * 0.02):
        return False
    parts = held.str.split(SEPARATOR).explode().str.strip_chars()
    return parts.n_unique() <= min(MAX_CLASSES, max(2, len(parts) // 2))


def _marked(series: pl.Series, what: str) -> Labels:
    """A column with several labels in a cell as 0 and 1 for each label; an empty list is a row without any."""
    import polars as pl

    if _is_list(series):
        cells = [None if cell is None else [_name(label) for label in cell] for cell in series.to_list()]
    else:
        texts = series.cast(pl.String).to_list()
        cells = [None if text is None else [part.strip() for part in text.split(SEPARATOR)] for text in texts]
    rows = np.array([row for row, cell in enumerate(cells) if cell is not None], np.int64)
    found = Counter(label for cell in cells if cell for label in cell if label)
    if not found or len(found) > MAX_CLASSES:
        raise DataError(f"{what} has {len(found):,} different labels; expected 1 to {MAX_CLASSES:,}.")
    classes = sorted(found)
    place = {label: number for number, label in enumerate(classes)}
    values = np.zeros((len(rows), len(classes)), np.float32)
    for number, row in enumerate(rows):
        for label in cells[row] or ():
            if label:
                values[number, place[label]] = 1.0
    return Labels("multilabel", f"a cell of the target {series.name!r} has several labels", classes, values, rows)


def _name(label: object) -> str:
    if isinstance(label, list | dict):
        raise DataError(f"The labels of a cell hold a {type(label).__name__}; expected texts or numbers.")
    return str(label).strip()


def _several(targets: Sequence[pl.Series], task: str, title: str) -> Labels:
    """Several target columns: 0 and 1 in all of them are labels, other numbers are numbers to foretell."""
    names = [series.name for series in targets]
    cells = [_cells(_truth(series), f"The target column {series.name!r} of {title}") for series in targets]
    held = np.logical_and.reduce([column.is_not_null().to_numpy() for column in cells])
    rows = np.flatnonzero(held)
    columns = [
        _numbers(column.gather(rows), f"The target column {name!r} of {title}")
        for column, name in zip(cells, names, strict=True)
    ]
    values = np.stack(columns, axis=1)
    marks = bool(np.isin(values, (0.0, 1.0)).all())
    if task == "classification":
        raise DataError(f"{title} has {len(names)} targets; classification has one. Expected multilabel or regression.")
    if task == "multilabel" and not marks:
        raise DataError(f"The targets {', '.join(names)} of {title} are to be 0 or 1 in each row for multilabel.")
    if task == "multilabel" or (task == "auto" and marks):
        return Labels("multilabel", "several targets of 0 and 1", names, values.astype(np.float32), rows)
    return Labels("regression", "several targets of numbers", names, values, rows)


def _truth(series: pl.Series) -> pl.Series:
    import polars as pl

    return series.cast(pl.Int8) if series.dtype == pl.Boolean else series
