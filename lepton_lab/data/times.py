"""Dates and times as seconds since 1970 (UTC), read one way in files, frames and requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from lepton_lab.errors import DataError

ISO = "iso"
FORMATS = (
    ISO,
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"),
    *("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y-%m"),
)
"""The forms that are tried, in this order; "iso" is what `datetime.fromisoformat` reads."""

_SHORTEST = 6
_DAY = 86_400.0


def find_format(texts: Sequence[str]) -> str | None:
    """The form that all of some different texts are dates in, or None where they are no dates."""
    if not texts or any(len(text) < _SHORTEST or not any(letter in "-/. :" for letter in text) for text in texts):
        return None
    return next((form for form in FORMATS if all(_reads(text, form) for text in texts)), None)


def _reads(text: str, form: str) -> bool:
    try:
        _parsed(text, form)
    except ValueError:
        return False
    return True


def _parsed(text: str, form: str) -> datetime:
    return datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)


def as_seconds(value: Any, form: str, where: str) -> float:
    """A raw cell as seconds since 1970; a time without a zone counts as UTC.

    Raises:
        DataError: Names the cell when it is no date in this form.
    """
    try:
        if isinstance(value, str):
            value = _parsed(value.strip(), form)
        if isinstance(value, datetime):
            return _seconds(value)
        if isinstance(value, date):
            return _seconds(datetime(value.year, value.month, value.day))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except (ValueError, OverflowError):
        pass
    expected = "a date such as 2024-05-31 or 2024-05-31T12:00" if form == ISO else f"a date in the form {form}"
    raise DataError(f"{where} is {str(value)[:60]!r}; expected {expected}, or seconds since 1970.")


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def as_text(seconds: float) -> str:
    """Seconds since 1970 as an ISO date, with the time of day where it is not midnight."""
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat() if seconds % _DAY else moment.date().isoformat()


def day_of_week(seconds_N: np.ndarray) -> np.ndarray:
    """0 (Monday) to 6, int64 (N,)."""
    days = np.floor(seconds_N / _DAY).astype(np.int64)
    week: np.ndarray = (days + 3) % 7
    return week


def minute_of_day(seconds_N: np.ndarray) -> np.ndarray:
    """0 to 1,439, int64 (N,)."""
    minutes: np.ndarray = (np.floor(seconds_N / 60).astype(np.int64)) % 1440
    return minutes


def day_of_year(seconds_N: np.ndarray) -> np.ndarray:
    """0 to 365, int64 (N,)."""
    days = np.floor(seconds_N / _DAY).astype("datetime64[D]")
    years: np.ndarray = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return years
