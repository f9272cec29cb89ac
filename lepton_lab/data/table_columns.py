"""What each column of a frame holds: numbers, categories, or nothing that a network could learn from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_lab.data.columns import MAX_NUMBER, NULL_WORDS, TRUTH_WORDS
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MIN_ROWS_TO_JUDGE = 20
"""In fewer rows a column of different values may well be a measure."""

_STRAY_FRACTION = 0.01
_MOSTLY_DIFFERENT = 0.5
_MAX_CATEGORIES_ALWAYS = 64
_ID_NAME = re.compile(r"(?i)(^|[_ .-])(id|idx|index|uuid|guid|key|row|no|nr|unnamed.*)$|^$|[a-z]I[dD]$")
_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"


@dataclass
class Column:
    """A column of the source.

    Attributes:
        name: Its name.
        kind: "number", "category" or "ignored".
        cells: Float64 or String, null where a value is missing.
        whole: Numbers: whether all are whole.
        reason: Why it is ignored, as the end of a sentence; None for used ones.
        remark: What kind of remark that is worth; None for used ones.
    """

    name: str
    kind: str
    cells: pl.Series
    whole: bool = False
    reason: str | None = None
    remark: str | None = None

    @property
    def num_missing(self) -> int:
        """Empty cells."""
        return int(self.cells.null_count())


def read_column(series: pl.Series) -> Column:
    """Finds out what a column holds.

    Raises:
        DataError: Names the column and row when a cell does not fit the others, is infinite, or is no plain value.
    """
    import polars as pl

    dtype = series.dtype
    if dtype.is_temporal():
        reason = "holds dates or times; give them as numbers (for example days since the first)"
        return Column(series.name, "ignored", series.cast(pl.String), reason=reason, remark="date_column")
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        raise DataError(f"The column {series.name!r} holds {dtype}; expected numbers or texts, one in each cell.")
    if dtype.is_numeric():
        return _judged(_number_column(series.name, series.cast(pl.Float64, strict=False).fill_nan(None)))
    explicit = dtype in (pl.Categorical, pl.Enum, pl.Boolean)
    cells = clean_texts(series.cast(pl.String))
    numbers = None if explicit else _as_numbers(cells)
    column = Column(series.name, "category", cells) if numbers is None else _number_column(series.name, numbers)
    return _judged(column)


def clean_texts(texts: pl.Series, null_words: frozenset[str] = NULL_WORDS) -> pl.Series:
    """Texts without blanks around them, null for words that mean "no value"; the same as in `columns`."""
    import polars as pl

    stripped = texts.str.strip_chars()
    small = stripped.str.to_lowercase()
    frame = pl.DataFrame({"text": stripped, "small": small})
    is_null = pl.col("small").is_in(list(null_words))
    is_truth = pl.col("small").is_in(list(TRUTH_WORDS))
    cleaned = pl.when(is_null).then(None).when(is_truth).then(pl.col("small")).otherwise(pl.col("text"))
    return frame.select(cleaned.alias(texts.name)).to_series()


def _as_numbers(texts: pl.Series) -> pl.Series | None:
    """Texts as numbers, or None where they are categories.

    Raises:
        DataError: When nearly all are numbers: the odd cell is a mistake, and its row is named.
    """
    import polars as pl

    if texts.null_count() == len(texts):
        return texts.cast(pl.Float64)
    numbers = texts.cast(pl.Float64, strict=False)
    strays = (numbers.is_null() & texts.is_not_null()).arg_true()
    if not len(strays):
        return numbers
    if texts.drop_nulls().str.contains(_DECIMAL_COMMA).all():
        return texts.str.replace(",", ".", literal=True).cast(pl.Float64)
    filled = len(texts) - texts.null_count()
    if filled >= MIN_ROWS_TO_JUDGE and len(strays) <= max(1, filled * _STRAY_FRACTION):
        row = int(strays[0])
        raise DataError(
            f"The column {texts.name!r} holds numbers, but {texts[row][:60]!r} in data row {row + 1:,}; "
            "correct it, or leave it empty where there is no value."
        )
    return None


def _number_column(name: str, numbers: pl.Series) -> Column:
    odd = (~numbers.is_finite() | (numbers.abs() > MAX_NUMBER)).fill_null(False).arg_true()
    if len(odd):
        row = int(odd[0])
        raise DataError(
            f"The column {name!r} is {numbers[row]:g} in data row {row + 1:,}; expected finite numbers of at most "
            f"{MAX_NUMBER:g}, or nothing where there is no value."
        )
    held = numbers.drop_nulls()
    whole = bool((held == held.round(0)).all()) and bool((held.abs() < 2**53).all())
    return Column(name, "number", numbers, whole=whole)


def _judged(column: Column) -> Column:
    """Marks a column that nothing can be learnt from."""
    held = column.cells.drop_nulls()
    num_distinct = held.n_unique()
    if not len(held):
        column.reason, column.remark = "has no value in any row", "empty_column"
    elif num_distinct == 1 and (len(held) == len(column.cells) or column.kind == "number"):
        column.reason, column.remark = f"has the same value in all rows ({held[0]!s:.40})", "constant_column"
    elif len(held) < MIN_ROWS_TO_JUDGE:
        return column
    elif column.kind == "number" and column.whole and num_distinct == len(held):
        span = held.max() - held.min() + 1  # type: ignore[operator]
        if span == len(held) or _ID_NAME.search(column.name):
            column.reason, column.remark = "numbers the rows", "id_column"
    elif column.kind == "category" and num_distinct == len(held):
        column.reason, column.remark = "is different in every row", "id_column"
    elif column.kind == "category" and num_distinct > max(_MAX_CATEGORIES_ALWAYS, len(held) * _MOSTLY_DIFFERENT):
        column.reason = f"has {num_distinct:,} different texts in {len(held):,} rows"
        column.remark = "text_column"
    if column.reason:
        column.kind = "ignored"
    return column
