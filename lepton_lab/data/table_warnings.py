"""What is worth knowing about a table's columns before training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lepton_lab.data.material import Remark
from lepton_lab.data.table_columns import MIN_ROWS_TO_JUDGE, Column

_SAME = 0.999999
"""A correlation from which on a column is the target in other units."""


def about(column: Column) -> Remark | None:
    """Why a column is not used, where that is a surprise."""
    if column.remark is None:
        return None
    return Remark(column.remark, "warning", f"The column {column.name!r} {column.reason}; it is not used.")


def leaks(
    columns: Sequence[Column], targets: Sequence[str], task: str, labels: np.ndarray, classes: Sequence[str]
) -> list[Remark]:
    """Columns that are the label in other words."""
    names = " and ".join(repr(name) for name in targets)
    if task == "classification":
        telling = [column for column in columns if _tells_class(column, labels, len(classes))]
    elif task == "regression":
        telling = [column for column in columns if any(_follows(column, values) for values in labels.T)]
    else:
        telling = [column for column in columns if any(_tells_class(column, marks, 2) for marks in labels.T)]
    return [
        Remark(
            "leak",
            "warning",
            f"The column {column.name!r} tells the target {names} exactly. If it is not known before the label is, "
            "leave it out: the network would learn nothing else.",
        )
        for column in telling
    ]


def _tells_class(column: Column, numbers: np.ndarray, num_classes: int) -> bool:
    """Whether each value of a column goes with a single class, and the values are few enough to be classes."""
    import polars as pl

    if num_classes < 2 or len(numbers) < MIN_ROWS_TO_JUDGE or len(np.unique(numbers)) < 2:
        return False
    num_values = column.cells.n_unique()
    if not num_classes <= num_values <= 2 * num_classes or num_values * 2 > len(numbers):
        return False
    pairs = pl.DataFrame({"value": column.cells, "label": numbers})
    return pairs.n_unique() == num_values


def _follows(column: Column, values: np.ndarray) -> bool:
    """Whether a column of numbers is the target, or a straight line of it."""
    if column.kind not in ("number", "date") or len(values) < MIN_ROWS_TO_JUDGE:
        return False
    cells = column.cells.to_numpy()
    held = ~np.isnan(cells)
    if held.sum() < MIN_ROWS_TO_JUDGE or cells[held].std() == 0 or values[held].std() == 0:
        return False
    return bool(abs(np.corrcoef(cells[held], values[held])[0, 1]) > _SAME)
