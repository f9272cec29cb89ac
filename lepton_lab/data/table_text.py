"""Text tables: encoding, separator and header found out, every row's length checked before polars parses it."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_lab.data.material import Remark
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_UNIT = "\x1f"
SEPARATORS = (",", ";", "\t", "|", _UNIT)
_C45 = (".data", ".test")
_SAMPLE_CHARACTERS = 64 * 1024
_SAMPLE_ROWS = 200
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes:
        separator: Between two fields.
        has_header: Whether the first row holds the columns' names.
        names: The columns' names, made up where there is no header.
        num_rows: Rows of data.
        has_blank_lines: Whether empty lines stand between the rows.
    """

    separator: str
    has_header: bool
    names: list[str]
    num_rows: int
    has_blank_lines: bool


def read_text_table(path: Path, remarks: list[Remark] | None = None) -> pl.DataFrame:
    """Reads a CSV file (or one with another separator) as texts.

    Args:
        path: The file.
        remarks: Gets what a person should know of how it was read.

    Returns:
        One String column per column of the file.

    Raises:
        DataError: Names the file and the line that is wrong.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    text = decode_text(raw, path, remarks)
    if path.suffix.lower() in _C45:
        text = _without_marks(text)
    text = _with_short_separator(text)
    return _parse(text, find_layout(text, path), path)


def find_encoding(raw: bytes) -> str:
    """How bytes are to be read: what a byte order mark says, UTF-16 where every other byte is zero, else UTF-8."""
    for mark, name in _ENCODINGS:
        if raw.startswith(mark):
            return name
    sample = raw[:_SAMPLE_CHARACTERS]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) >= 8 and max(even, odd) > len(sample) // 8 and not min(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def decode_text(raw: bytes, path: Path, remarks: list[Remark] | None = None) -> str:
    """The file's text: what its byte order mark says, UTF-16, UTF-8, or else Windows-1252 (which is told).

    Raises:
        DataError: Names the line with the first byte that cannot be read.
    """
    encoding = find_encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        named = f"{str(path)!r} is not {error.encoding.upper()}: line {line:,} has the byte 0x{raw[error.start]:02X}"
        text = _windows(raw) if encoding == "utf-8" else ""
        if not text:
            raise DataError(f"{named}. Save it as UTF-8.") from None
        if remarks is not None:
            message = f"{named}; it was read as Windows-1252. If names look wrong, save it as UTF-8."
            remarks.append(Remark("encoding", "note", message))
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{str(path)!r} is no text table: line {line:,} has a NUL byte.")
    if not text.strip():
        raise DataError(f"{str(path)!r} is empty; expected a header and rows.")
    return text


def _windows(raw: bytes) -> str:
    """Bytes as Windows-1252 text, or nothing where they hardly are one."""
    if b"\0" in raw:
        return ""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return ""


def _without_marks(text: str) -> str:
    """A file of the C4.5 family without its comment lines and the full stop at the end of each row."""
    lines = [line.rstrip() for line in text.splitlines() if not line.startswith("|")]
    if sum(line.endswith(".") for line in lines[:_SAMPLE_ROWS]) > 0.9 * min(len(lines), _SAMPLE_ROWS):
        lines = [line.removesuffix(".") for line in lines]
    return "\n".join(lines)


def _with_short_separator(text: str) -> str:
    """Fields between double colons (as MovieLens has them) with a separator of one letter."""
    lines = text[:_SAMPLE_CHARACTERS].splitlines()[:_SAMPLE_ROWS]
    counts = {line.count("::") for line in lines[:-1] or lines if line.strip()}
    if len(counts) != 1 or counts == {0} or _UNIT in text:
        return text
    return text.replace("::", _UNIT)


def find_layout(text: str, path: Path) -> Layout:
    """Separator, header and size; reads every row once and checks its length.

    Raises:
        DataError: Names the line with more or fewer fields than the first, or with an unclosed quote.
    """
    separator = _find_separator(text, path)
    rows = _rows(text, separator, path)
    last_line, first = next(rows)
    sample: list[list[str]] = []
    num_rows, blank = 1, False
    for line, fields in rows:
        blank = blank or line > last_line + 1
        last_line = line
        num_rows += 1
        if len(fields) != len(first):
            raise DataError(
                f"{str(path)!r}: line {line:,} has {len(fields)} fields; expected {len(first)} as in the first line. "
                "Look for a missing separator or an unclosed quote."
            )
        if len(sample) < _SAMPLE_ROWS:
            sample.append(fields)
    has_header = looks_like_header(first, sample)
    names = _names(first, path) if has_header else [f"column_{place + 1}" for place in range(len(first))]
    if num_rows == int(has_header):
        raise DataError(f"{str(path)!r} has a header and no rows.")
    return Layout(separator, has_header, names, num_rows - has_header, blank)


def _rows(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line that each ends on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for fields in reader:
            if fields and (len(fields) > 1 or fields[0].strip()):
                yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(f"{str(path)!r}: line {reader.line_num:,} cannot be read ({error}).") from None


def _find_separator(text: str, path: Path) -> str:
    """The separator that gives the same number of fields, two or more, in the most rows."""
    share, _, separator = _best_separator(text)
    if not share:
        raise DataError(
            f"{str(path)!r} has a single column; expected fields separated by a comma, semicolon, tab or bar."
        )
    return separator


def separated_share(text: str) -> float:
    """The share of rows that the best separator gives the same number of fields; 0 where none separates anything."""
    return _best_separator(text)[0]


def _best_separator(text: str) -> tuple[float, int, str]:
    """(Share of rows with the same number of fields, that number, the separator)."""
    sample = text[:_SAMPLE_CHARACTERS]
    if len(text) > _SAMPLE_CHARACTERS:
        sample = sample[: sample.rfind("\n") + 1] or sample
    best: tuple[float, int, str] = (0.0, 1, ",")
    for separator in SEPARATORS:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
            counts = Counter(len(fields) for fields in reader if fields)
        except csv.Error:
            continue
        if not counts:
            continue
        (num_fields, num_rows), *_ = counts.most_common(1)
        share = num_rows / sum(counts.values())
        if num_fields > 1 and (share, num_fields) > best[:2]:
            best = (share, num_fields, separator)
    return best


def looks_like_header(first: list[str], rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: no numbers, none twice, and not values that come again below."""
    cells = [cell.strip() for cell in first]
    if cells[1:] and all(cell == str(place) for place, cell in enumerate(cells[1:], start=0 if cells[0] == "" else 1)):
        return True  # a frame written with its index: "", 0, 1, 2, ...
    named = [cell for cell in cells if cell]
    if any(_is_number(cell) for cell in named) or len(named) < len(cells) - 1:
        return False
    if not rows or any(_is_numeric(rows, place) for place, cell in enumerate(cells) if cell):
        return True  # a text above numbers
    if len(set(named)) < len(named):
        return False
    again = sum(any(row[place].strip() == cell for row in rows) for place, cell in enumerate(cells) if cell)
    return again * 2 < len(named)


def _is_numeric(rows: list[list[str]], place: int) -> bool:
    """Whether a column holds numbers and nothing else."""
    cells = [row[place].strip() for row in rows]
    return any(cells) and all(_is_number(cell) for cell in cells if cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() != "nan"


def _names(first: list[str], path: Path) -> list[str]:
    names = [cell.strip() or f"column_{place + 1}" for place, cell in enumerate(first)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{str(path)!r} has two columns called {twice!r}; rename one.")
    return names


def _parse(text: str, layout: Layout, path: Path) -> pl.DataFrame:
    """The rows as polars parses them; where it would see other rows than were checked, as they were checked."""
    import polars as pl

    schema = dict.fromkeys(layout.names, pl.String)
    if not layout.has_blank_lines:
        try:
            frame = pl.read_csv(
                text.encode("utf-8"),
                separator=layout.separator,
                quote_char=None if layout.separator == _UNIT else '"',
                has_header=layout.has_header,
                new_columns=layout.names,
                infer_schema=False,
            )
            if frame.height == layout.num_rows and frame.columns == layout.names:
                return frame
        except pl.exceptions.PolarsError:
            pass
    rows = [fields for _, fields in _rows(text, layout.separator, path)][int(layout.has_header) :]
    return pl.DataFrame(rows, schema=schema, orient="row")
