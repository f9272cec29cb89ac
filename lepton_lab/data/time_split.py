"""Where a series is cut into train, validation and test: in rows, in shares, or in time."""

from __future__ import annotations

import re

from lepton_lab.errors import SpecError

_SECONDS = {"hours": 3600.0, "days": 86_400.0, "weeks": 7 * 86_400.0, "months": 30 * 86_400.0}
"""A month is one of 30 days, as the benchmarks of forecasting count it."""
_FORM = re.compile(r"\s*([\d.]+)\s*/\s*([\d.]+)\s*/\s*([\d.]+)\s*(rows|hours|days|weeks|months)?\s*")


def cut_rows(text: str | None, num_rows: int, step_seconds: float | None, fractions: tuple[float, float]) -> list[int]:
    """Where the parts end.

    Args:
        text: Train, validation and test as "8640/2880/2880" (rows), "0.7/0.1/0.2" (shares) or "12/4/4 months"; None:
            by `fractions`.
        num_rows: Rows of the series.
        step_seconds: Time between two rows, where it is known.
        fractions: Share of the validation part (of what is no test) and of the test part.

    Returns:
        The row behind the last one of train, validation and test; rows behind the test part are not used.

    Raises:
        SpecError: When the text cannot be read, or asks for more than there is.
    """
    if text is None:
        validation, test = fractions
        num_test = round(num_rows * test)
        num_validation = round((num_rows - num_test) * validation)
        return [num_rows - num_test - num_validation, num_rows - num_test, num_rows]
    match = _FORM.fullmatch(text)
    if match is None:
        raise SpecError(
            f"data: time_split is {text!r}; expected train/validation/test as rows (8640/2880/2880), shares "
            "(0.7/0.1/0.2) or time (12/4/4 months)."
        )
    sizes, unit = [float(size) for size in match.groups()[:3]], match.group(4)
    if unit in _SECONDS:
        if step_seconds is None:
            raise SpecError(
                f"data: time_split is {text!r}, and the series has no column of times; give rows or shares."
            )
        sizes = [size * _SECONDS[unit] / step_seconds for size in sizes]
    elif unit is None and sum(sizes) <= 1.0 + 1e-9:
        sizes = [size * num_rows for size in sizes]
    ends = [round(sum(sizes[: place + 1])) for place in range(3)]
    if ends[2] > num_rows:
        raise SpecError(f"data: time_split {text!r} asks for {ends[2]:,} rows; the series has {num_rows:,}.")
    return ends
