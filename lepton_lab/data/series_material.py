"""A long series of numbers as something to forecast: windows of the past, and what came after each."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.forms import save_part, save_series
from lepton_lab.data.material import Material, Remark
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.rows import Windows
from lepton_lab.data.scaling import fit_scale
from lepton_lab.data.series_preparation import SeriesPreparation
from lepton_lab.data.targets import Target
from lepton_lab.data.time_split import cut_rows
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec, Problem

if TYPE_CHECKING:
    import polars as pl

_WINDOW = 336
"""The longest window that is chosen unless `window` says otherwise: two weeks of hours."""


@dataclass
class SeriesMaterial(Material):
    """Windows on one series.

    Attributes:
        series: float32 (T, F), in the source's units.
        window: Steps that are seen.
        horizon: Steps that are foretold.
        ends: The moment behind the last one of train, validation and test.
        step_seconds: Time between two moments, where it is known.
        since: The time of the first moment as text, where it is known.
    """

    series: np.ndarray = field(default_factory=lambda: np.empty((0, 1), np.float32))
    window: int = 1
    horizon: int = 1
    ends: list[int] = field(default_factory=list)
    step_seconds: float | None = None
    since: str | None = None

    @property
    def modality(self) -> str:
        return "series"

    def split(self, spec: DataSpec) -> dict[str, np.ndarray]:
        """Windows by the part that their forecast lies in; the past that they see may reach into the part before."""
        foretold = self.labels.starts
        parts, begin = {}, 0
        for name, end in zip(("train", "validation", "test"), self.ends, strict=True):
            parts[name] = np.flatnonzero((foretold >= begin) & (foretold + self.horizon <= end))
            begin = end
        return parts

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        mean, std = fit_scale(self.series[: self.ends[0]].astype(np.float64), spec.normalize)
        return SeriesPreparation(self.window, tuple(self.classes), tuple(mean.tolist()), tuple(std.tolist()))

    def labelling(self, train_rows: np.ndarray) -> Target:
        """Labels are moments of the same series: standardised by its training part."""
        mean, std = fit_scale(self.series[: self.ends[0]].astype(np.float64), "standard")
        return Target("forecasting", tuple(self.classes), tuple(mean.tolist()), tuple(std.tolist()))

    def problem(self, preparation: Preparation) -> Problem:
        shape = (self.horizon, len(self.classes))
        extra: dict[str, Any] = {"step_seconds": self.step_seconds} if self.step_seconds else {}
        fields = preparation.to_dict()
        mean, std = np.asarray(fields["mean"]), np.asarray(fields["std"])
        target = self.labelling(np.arange(0))
        scale, shift = std / target.std, (mean - target.mean) / target.std
        if not (np.allclose(scale, 1) and np.allclose(shift, 0)):  # windows are not scaled as forecasts are
            extra |= {"label_scale": scale.tolist(), "label_shift": shift.tolist()}
        return Problem(
            "forecasting", "series", preparation.input_shape, shape, classes=tuple(self.classes), extra=extra
        )

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_series(path.parent, self.series)
        save_part(path, Windows(self.series, self.labels.starts - self.window, self.window), rows)

    def describe(self) -> dict[str, Any]:
        described = {"window": self.window, "horizon": self.horizon, "ends": self.ends, "since": self.since}
        return {"forecast": {**described, "step_seconds": self.step_seconds}}


def series_from_array(
    series: np.ndarray,
    names: list[str],
    spec: DataSpec,
    title: str,
    *,
    step_seconds: float | None = None,
    since: str | None = None,
    remarks: list[Remark] | None = None,
) -> SeriesMaterial:
    """Lays windows on a series.

    Args:
        series: Numbers (T, F), NaN where a value is missing.
        names: The columns (F,).
        spec: Uses `window`, `horizon`, `time_split` and the fractions of the parts.
        title: How to call the series in an error.
        step_seconds: Time between two moments, where it is known.
        since: The time of the first moment, where it is known.
        remarks: What was noticed while reading.

    Raises:
        DataError: When the series is too short for a window and a forecast, or has a column without any value.
        SpecError: When the split asks for more than there is.
    """
    remarks = list(remarks or [])
    series = _whole(np.asarray(series, np.float64), names, title, remarks)
    ends = cut_rows(spec.time_split, len(series), step_seconds, (spec.validation_fraction, spec.test_fraction))
    parts = [ends[0], *(after - before for before, after in pairwise(ends) if after > before)]
    horizon = spec.horizon or max(1, min(24, min(parts) // 2))
    window = spec.window or max(2, min(_WINDOW, 4 * horizon, (ends[0] - horizon) // 2))
    if ends[0] < window + horizon:
        raise DataError(
            f"{title} has {ends[0]:,} training rows; a window of {window:,} and a forecast of {horizon:,} need "
            f"{window + horizon:,}. Choose a smaller window or horizon."
        )
    if ends[2] < len(series):
        message = f"The last {len(series) - ends[2]:,} of {len(series):,} rows belong to no part (time_split)."
        remarks.append(Remark("rows_unused", "note", message))
    foretold = np.arange(window, ends[2] - horizon + 1, dtype=np.int64)
    stored = series.astype(np.float32)
    return SeriesMaterial(
        names,
        Windows(stored, foretold, horizon),
        foretold,
        remarks=remarks,
        task="forecasting",
        series=stored,
        window=window,
        horizon=horizon,
        ends=ends,
        step_seconds=step_seconds,
        since=since,
    )


def _whole(series: np.ndarray, names: list[str], title: str, remarks: list[Remark]) -> np.ndarray:
    """The series with its missing values drawn in from the moments before and after them."""
    if not len(series):
        raise DataError(f"{title} has no rows; there is nothing to forecast.")
    absent = ~np.isfinite(series)
    empty = np.flatnonzero(absent.all(axis=0))
    if len(empty):
        raise DataError(f"{title}: the column {names[int(empty[0])]!r} has no number; leave it out with roles.")
    series = series.copy()
    moments = np.arange(len(series))
    for place in np.flatnonzero(absent.any(axis=0)):
        held = ~absent[:, place]
        series[~held, place] = np.interp(moments[~held], moments[held], series[held, place])
        message = (
            f"{int((~held).sum()):,} missing values of {names[place]!r} were filled in from their neighbours in time."
        )
        remarks.append(Remark("missing_filled", "warning" if (~held).mean() > 0.05 else "note", message))
    for place in np.flatnonzero(series.max(axis=0) == series.min(axis=0)):
        remarks.append(Remark("constant_column", "warning", f"The column {names[place]!r} never changes."))
    return series


def series_from_frame(frame: pl.DataFrame, spec: DataSpec, title: str) -> SeriesMaterial:
    """A table whose rows follow one another in time.

    The column of times is the one with the role `time`, else the first that reads as dates; rows are brought into its
    order. `target` names the columns that are foretold from their own past (default: every column of numbers).

    Raises:
        DataError: When there is no column of numbers, or names what is wrong with the times.
    """
    import polars as pl

    roles = spec.role_by_column()
    time, moments = _times(frame, roles, title)
    remarks: list[Remark] = []
    if moments is not None:
        if moments.null_count():
            row = int(moments.is_null().arg_true()[0])
            raise DataError(f"{title}, row {row + 1}: the column {time!r} has no readable time.")
        if not moments.is_sorted():
            order = moments.arg_sort()
            frame, moments = frame[order], moments[order]
            remarks.append(Remark("sorted", "note", f"The rows were brought into the order of {time!r}."))
    asked = [name.strip() for name in spec.target.split(",")] if spec.target else None
    names, columns = [], []
    for name in frame.columns:
        if name == time or roles.get(name, "number") not in ("number", "target") or (asked and name not in asked):
            continue
        values = frame[name].cast(pl.Float64, strict=False)
        if values.null_count() > frame[name].null_count() and name not in (asked or ()):
            message = f"The column {name!r} holds no numbers; it is not used."
            remarks.append(Remark("ignored_column", "note", message))
            continue
        names.append(name)
        columns.append(values.fill_null(float("nan")).to_numpy())
    if asked and (absent := [name for name in asked if name not in names]):
        raise DataError(f"{title} has no column {absent[0]!r} to forecast; it has {', '.join(frame.columns[:12])}.")
    if not names:
        raise DataError(f"{title} has no column of numbers to forecast.")
    step = _step(moments, time, remarks) if moments is not None else None
    since = str(moments[0]) if moments is not None else None
    return series_from_array(np.stack(columns, 1), names, spec, title, step_seconds=step, since=since, remarks=remarks)


def frame_of_series(values: Any) -> pl.DataFrame:
    """A series of numbers (T,) or (T, F) as a table with a column for each feature.

    Raises:
        DataError: When the values are no such numbers.
    """
    import polars as pl

    array = np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        raise DataError(f"A series has the shape (T,) or (T, F) of numbers; got {array.shape} of {array.dtype}.")
    return pl.DataFrame({f"series_{place}": array[:, place] for place in range(array.shape[1])})


def looks_like_series(frame: pl.DataFrame, spec: DataSpec) -> bool:
    """Whether a table's rows are moments: times in equal steps (months may differ), and numbers beside them."""
    import polars as pl

    if frame.height < 48 or (spec.target is not None and spec.horizon is None and spec.window is None):
        return False
    time, moments = _times(frame, spec.role_by_column(), "")
    if moments is None or moments.null_count() or not moments.is_sorted() or moments.n_unique() < frame.height:
        return False
    steps = moments.diff().drop_nulls().cast(pl.Int64).to_numpy()
    even = np.percentile(steps, 95) <= 1.15 * np.percentile(steps, 5)
    return bool(even) and all(_holds_numbers(frame[name]) for name in frame.columns if name != time)


def _holds_numbers(column: pl.Series) -> bool:
    """Whether most cells of a column are numbers, or texts of numbers."""
    import polars as pl

    if column.dtype.is_numeric():
        return True
    return column.dtype == pl.String and column.cast(pl.Float64, strict=False).null_count() < 0.2 * len(column)


def _times(frame: pl.DataFrame, roles: dict[str, str], title: str) -> tuple[str | None, pl.Series | None]:
    """The column of times and its values as date-times, where there is one."""
    named = [name for name, role in roles.items() if role == "time"]
    for name in named or frame.columns:
        if name not in frame.columns:
            raise DataError(f"{title} has no column {name!r}; it has {', '.join(frame.columns[:12])}.")
        moments = as_times(frame[name])
        if moments is not None:
            return name, moments
        if named:
            raise DataError(f"{title}: the column {name!r} cannot be read as times; expected such as 2016-07-01 13:00.")
    return None, None


def as_times(column: pl.Series) -> pl.Series | None:
    """A column as date-times (microseconds), or None where its first values are none."""
    import polars as pl

    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Datetime("us"))
    if column.dtype != pl.String:
        return None
    texts = column.str.strip_chars()
    for form in _FORMS:
        if (
            texts.head(20).str.to_datetime(form, strict=False, time_unit="us").null_count()
            == texts.head(20).null_count()
        ):
            parsed = texts.str.to_datetime(form, strict=False, time_unit="us")
            if parsed.null_count() < len(parsed):
                return parsed
    months = texts.head(20).str.contains(r"^\d{4}-\d{2}$")
    if len(months) and months.all():
        return (texts + "-01").str.to_datetime("%Y-%m-%d", strict=False, time_unit="us")
    return None


_FORMS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
)
"""Ways to write a time that are read; days of months written in figures alone ("03/04/2020") could mean two things."""


def _step(moments: pl.Series, time: str | None, remarks: list[Remark]) -> float | None:
    """The usual time between two moments, in seconds; says so where moments are missing or double."""
    import polars as pl

    if len(moments) < 2:
        return None
    steps = moments.diff().drop_nulls().dt.total_microseconds().cast(pl.Float64).to_numpy() / 1e6
    usual = float(np.median(steps))
    if (steps <= 0).any():
        message = (
            f"{int((steps <= 0).sum()):,} times of {time!r} are there more than once; each row counts as one step."
        )
        remarks.append(Remark("repeated_times", "warning", message))
    if usual > 0 and (gaps := int((steps > 1.5 * usual).sum())):
        message = f"The times of {time!r} have {gaps:,} gaps (the longest: {steps.max() / usual:,.0f} steps)."
        remarks.append(Remark("time_gaps", "warning", message))
    return usual or None
