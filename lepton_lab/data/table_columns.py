"""What each column of a frame holds: numbers, categories, dates, texts, or nothing that could be learnt from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lepton_lab.data.columns import MAX_NUMBER, NULL_WORDS, TRUTH_WORDS, as_category
from lepton_lab.data.times import ISO, as_seconds, find_format
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MIN_ROWS_TO_JUDGE = 20
"""In fewer rows a column of different values may well be a measure."""

_STRAY_FRACTION = 0.01
_MOSTLY_DIFFERENT = 0.5
_FEW_DIFFERENT = 0.05
WORDS_OF_A_TEXT = 3.0
"""Different texts of more words than this on average are learnt from by their words."""
_MAX_CATEGORIES_ALWAYS = 64
_ID_NAME = re.compile(r"(?i)(^|[_ .-])(id|idx|index|uuid|guid|key|row|no|nr|unnamed.*)$|^$|[a-z]I[dD]$")
_DECIMAL_COMMA = r"^[+-]?\d+(,\d+)?([eE][+-]?\d+)?$"


@dataclass
class Column:
    """A column of the source.

    Attributes:
        name: Its name.
        kind: "number", "category", "date", "text" or "ignored".
        cells: Float64 (numbers, seconds since 1970) or String, null where a value is missing.
        whole: Numbers: whether all are whole.
        form: Dates: how a text is read, as in `times.FORMATS`.
        reason: Why it is ignored, as the end of a sentence; None for used ones.
        remark: What kind of remark that is worth; None for used ones.
        role: What else it is than something to learn from ("group", "time", ...); "" for most.
    """

    name: str
    kind: str
    cells: pl.Series
    whole: bool = False
    form: str = ISO
    reason: str | None = None
    remark: str | None = None
    role: str = ""

    @property
    def num_missing(self) -> int:
        """Empty cells."""
        return int(self.cells.null_count())


def read_column(series: pl.Series, role: str | None = None) -> Column:
    """Finds out what a column holds, or reads it as it was asked to be read.

    Args:
        series: Cells of any plain type.
        role: "number", "category", "date" or "text"; None finds it out.

    Raises:
        DataError: Names the column and row when a cell does not fit the others, is infinite, or is no plain value.
    """
    import polars as pl

    dtype = series.dtype
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        raise DataError(
            f"The column {series.name!r} holds {dtype}; expected numbers or texts, one in each cell. Leave it out with "
            f"roles ({series.name}=ignored), or name it as the target."
        )
    if role is not None:
        return _as_asked(series, role)
    if dtype.is_temporal() and dtype not in (pl.Time, pl.Duration):
        return _judged(_date_column(series))
    if dtype == pl.Duration:
        return _judged(_number_column(series.name, series.dt.total_microseconds().cast(pl.Float64) / 1e6))
    if dtype.is_numeric():
        return _judged(_number_column(series.name, series.cast(pl.Float64, strict=False).fill_nan(None)))
    explicit = dtype in (pl.Categorical, pl.Enum, pl.Boolean)
    cells = clean_texts(series.cast(pl.String))
    numbers = None if explicit else _as_numbers(cells)
    if numbers is not None:
        return _judged(_number_column(series.name, numbers))
    if not explicit and (dates := _texts_as_dates(cells)) is not None:
        return _judged(dates)
    return _judged(Column(series.name, "category", cells))


def _as_asked(series: pl.Series, role: str) -> Column:
    import polars as pl

    if role == "number":
        column = read_column(series.cast(pl.String)) if series.dtype == pl.Boolean else read_column(series)
        numbers = series.cast(pl.Float64) if series.dtype == pl.Boolean else column.cells
        if numbers.dtype != pl.Float64:
            stray = column.cells.drop_nulls()[0]
            raise DataError(f"The column {series.name!r} was to be numbers, but holds {stray!r:.60}.")
        return _number_column(series.name, numbers)
    if role == "date":
        dates = _date_column(series) if series.dtype.is_temporal() else _texts_as_dates(clean_texts(_texts(series)))
        if dates is None:
            raise DataError(
                f"The column {series.name!r} was to be dates, but not all of its cells are dates of one form."
            )
        return dates
    return Column(series.name, role, clean_texts(_texts(series)))


def _texts(series: pl.Series) -> pl.Series:
    """Cells as the texts that `columns.as_category` makes of them."""
    import polars as pl

    if not series.dtype.is_float():
        return series.cast(pl.String)
    different = series.drop_nulls().drop_nans().unique()
    names = [as_category(value) for value in different.to_list()]
    return series.fill_nan(None).replace_strict(different, names, default=None, return_dtype=pl.String)


def _date_column(series: pl.Series) -> Column:
    import polars as pl

    moments = series.dt.convert_time_zone("UTC") if getattr(series.dtype, "time_zone", None) else series
    seconds = moments.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64) / 1e6
    return Column(series.name, "date", seconds.alias(series.name))


def _texts_as_dates(cells: pl.Series) -> Column | None:
    """Texts as dates, or None where they are something else."""
    import polars as pl

    different = cells.drop_nulls().unique()
    sample = different.head(50).to_list()
    if find_format(sample) is None:
        return None
    texts = different.to_list()
    form = find_format(texts)
    if form is None:
        return None
    seconds = [as_seconds(text, form, cells.name) for text in texts]
    found = cells.replace_strict(texts, seconds, default=None, return_dtype=pl.Float64)
    return Column(cells.name, "date", found, form=form)


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
    elif len(held) < MIN_ROWS_TO_JUDGE or column.kind == "date":
        return column
    elif column.kind == "number" and column.whole and num_distinct == len(held):
        span = held.max() - held.min() + 1  # type: ignore[operator]
        if span == len(held) or _ID_NAME.search(column.name):
            column.reason, column.remark = "numbers the rows", "id_column"
    elif column.kind == "category" and num_distinct > max(_MAX_CATEGORIES_ALWAYS, len(held) * _FEW_DIFFERENT):
        _judge_texts(column, held, num_distinct)
    elif column.kind == "category" and num_distinct == len(held):
        column.reason, column.remark = "is different in every row", "id_column"
    if column.reason:
        column.kind = "ignored"
    return column


def _judge_texts(column: Column, held: pl.Series, num_distinct: int) -> None:
    """Many different texts: sentences are learnt from by their words, names and numbers of things are not."""
    if num_words(held) > WORDS_OF_A_TEXT:
        column.kind = "text"
    elif num_distinct == len(held):
        column.reason, column.remark = "is different in every row", "id_column"
    elif num_distinct > len(held) * _MOSTLY_DIFFERENT:
        column.reason, column.remark = f"has {num_distinct:,} different texts in {len(held):,} rows", "text_column"


def num_words(texts: pl.Series) -> float:
    """How many words a text has on average."""
    sample = texts.drop_nulls().gather_every(max(1, len(texts) // 1_000))
    return float(sample.str.split(" ").list.len().mean() or 0.0)  # type: ignore[arg-type]
