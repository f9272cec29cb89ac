"""The text of a `.ts` file: labelled time series, a case a line (Löning et al., sktime; Middlehurst et al., aeon)."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lepton_lab.errors import DataError

MAX_BYTES = 2**31
_ESCAPED = 60


@dataclass
class Cases:
    """What a `.ts` file holds.

    Attributes:
        series: A float32 array (T, F) for each case, NaN where a value is missing.
        labels: The last field of each line, as text; empty when there is none.
        classes: The labels that the header announces.
        is_regression: The labels are numbers to be predicted.
        lines: The line number of each case, from 1.
    """

    series: list[np.ndarray] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    is_regression: bool = False
    lines: list[int] = field(default_factory=list)


def read_ts(path: Path) -> Cases:
    """Reads a `.ts` file, plain or gzip.

    Raises:
        DataError: Names the file and the line that is wrong.
    """
    text = _text(path)
    cases, header, in_data = Cases(), {}, False
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith(("#", "%")):
            continue
        if not in_data and line.startswith("@"):
            key, _, value = line[1:].partition(" ")
            header[key.strip().lower()] = value.strip()
            in_data = key.strip().lower() == "data"
            if in_data:
                _read_header(header, cases, path)
        elif not in_data:
            raise DataError(
                f"{path.name!r}, line {number}: expected a line that starts with @ before @data, got {_short(line)}."
            )
        else:
            _read_case(line, cases, bool(header.get("has_label")), f"{path.name!r}, line {number}")
            cases.lines.append(number)
    if not in_data:
        raise DataError(f"{path.name!r} has no line @data; expected a .ts file.")
    if not cases.series:
        raise DataError(f"{path.name!r} has no case after @data.")
    return cases


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{str(path)!r} is damaged or cannot be read ({error}).") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{str(path)!r} has more than {MAX_BYTES:,} bytes of text; cut it into parts.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _read_header(header: dict[str, str], cases: Cases, path: Path) -> None:
    if header.get("timestamps", "false").lower() == "true":
        raise DataError(f"{path.name!r} has time stamps in its cases, which cannot be read; write the values alone.")
    classes = header.get("classlabel", "false").split()
    if classes and classes[0].lower() == "true":
        cases.classes = classes[1:]
        header["has_label"] = "yes"
    elif header.get("targetlabel", "false").lower().startswith("true"):
        cases.is_regression = True
        header["has_label"] = "yes"


def _read_case(line: str, cases: Cases, has_label: bool, where: str) -> None:
    dimensions = line.split(":")
    if has_label:
        label = dimensions.pop().strip()
        if not dimensions:
            raise DataError(f"{where}: expected the values, a colon and the label; got {_short(line)}.")
        if cases.classes and label not in cases.classes:
            raise DataError(f"{where}: the label {_short(label)} is not among those of @classLabel.")
        if not label or "," in label:
            raise DataError(f"{where}: expected a label behind the last colon, got {_short(label)}.")
        cases.labels.append(label)
    columns = [_numbers(values, place, where) for place, values in enumerate(dimensions)]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        counts = " and ".join(str(length) for length in sorted(lengths)[:3])
        raise DataError(f"{where}: its dimensions have {counts} values; expected as many in each.")
    series = np.stack(columns, axis=1)
    if cases.series and series.shape[1] != cases.series[0].shape[1]:
        raise DataError(
            f"{where}: it has {series.shape[1]} dimensions; the cases before it have {cases.series[0].shape[1]}."
        )
    cases.series.append(series)


def _numbers(values: str, place: int, where: str) -> np.ndarray:
    """The values of a dimension as float32, NaN where there is a "?"."""
    cells = values.split(",")
    try:
        numbers = np.array([np.nan if cell.strip() in ("?", "NaN", "nan") else float(cell) for cell in cells])
    except ValueError:
        strange = next(cell for cell in cells if not _is_number(cell))
        raise DataError(f"{where}, dimension {place + 1}: {_short(strange.strip())} is no number.") from None
    if np.isinf(numbers).any() or np.abs(numbers[~np.isnan(numbers)]).max(initial=0) > 1e30:
        raise DataError(f"{where}, dimension {place + 1}: a value is infinite or too large.")
    return numbers.astype(np.float32)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip() == "?"
    return True


def _short(text: str) -> str:
    return repr(text if len(text) <= _ESCAPED else text[:_ESCAPED] + "...")
