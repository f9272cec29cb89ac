"""Tables in files: text tables, Parquet, Arrow and JSON, read a column at a time where the format allows it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.arrow_stream import announced_by_stream
from lepton_lab.data.limits import check_table
from lepton_lab.data.material import Remark
from lepton_lab.data.parquet_table import ParquetTable
from lepton_lab.data.tabular import Table, part_name
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".data", ".test", ".dat")
PARQUET_SUFFIXES = (".parquet", ".pq")
ARROW_SUFFIXES = (".arrow", ".feather", ".ipc")
LINES_SUFFIXES = (".jsonl", ".ndjson")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES, *ARROW_SUFFIXES, *LINES_SUFFIXES, ".json")

LARGE_BYTES = 64 * 2**20
"""Text tables from this size on are read in batches."""


@dataclass(frozen=True)
class ReadTable:
    """A table, and what its file says beside it.

    Attributes:
        table: The columns.
        parts: The split of each row, where the file has parts of its own.
        remarks: What a person should know of how it was read.
    """

    table: Table
    parts: np.ndarray | None = None
    remarks: list[Remark] = field(default_factory=list)


class LazyTable:
    """Columns of a file that are read when they are asked for, so that one column at a time is in memory.

    Attributes:
        columns: Names of the columns.
        height: Rows.
    """

    def __init__(self, lazy: pl.LazyFrame, title: str, keep: Any = None) -> None:
        import polars as pl

        self._lazy, self._title, self._keep = lazy, title, keep
        try:
            self.columns = lazy.collect_schema().names()
            self.height = int(lazy.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise _unreadable(title, error) from None

    def __getitem__(self, name: str) -> pl.Series:
        import polars as pl

        try:
            return self._lazy.select(pl.col(name)).collect().to_series()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            raise _unreadable(self._title, error) from None


def _unreadable(title: str, error: Exception) -> DataError:
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return DataError(f"{title} cannot be read ({reason}). Check that the file is whole and of the kind its name says.")


def read_table(path: Path, scratch: Path) -> ReadTable:
    """Reads a table by the suffix of its name.

    Args:
        path: The file.
        scratch: Where a large text table is kept in batches while it is read.

    Raises:
        DataError: Names the file, and the line where there are lines.
    """
    import polars as pl

    suffix, title = path.suffix.lower(), repr(str(path))
    try:
        if suffix in PARQUET_SUFFIXES:
            return ReadTable(ParquetTable(path))
        if suffix in ARROW_SUFFIXES:
            return ReadTable(_arrow(path, title))
        if suffix in LINES_SUFFIXES:
            return ReadTable(_json_lines(path))
        if suffix == ".json":
            return _json(path)
        return _text(path, scratch)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _unreadable(title, error) from None


def _arrow(path: Path, title: str) -> Table:
    """The file form is mapped; the stream form is read whole."""
    import polars as pl

    with path.open("rb") as stream:
        if stream.read(6) == b"ARROW1":
            table = LazyTable(pl.scan_ipc(path), title)
            check_table(path, table.height, len(table.columns))
            return table
    check_table(path, *announced_by_stream(path))
    return pl.read_ipc_stream(path)


def _json_lines(path: Path) -> Table:
    import polars as pl

    try:
        return pl.read_ndjson(path, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        lines = path.read_text("utf-8", errors="replace").splitlines()
        for number, line in enumerate(lines, start=1):
            if line.strip() and not isinstance(_loaded(line), dict):
                raise DataError(f"{str(path)!r}: line {number:,} is no JSON object ({line[:60]!r}).") from None
        raise


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json(path: Path) -> ReadTable:
    """A list of rows, a dict of columns, or a dict of parts that are lists of rows."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} cannot be read as JSON ({error}).") from None
    if isinstance(content, list):
        return ReadTable(_frame(content, path))
    if not isinstance(content, dict) or not all(isinstance(value, list) for value in content.values()):
        raise DataError(
            f"{str(path)!r} holds no table; expected a list of rows, or lists of rows by part or by column."
        )
    known = {key: _part_of(key) for key in content}
    if "train" not in known.values() or not all(known.values()):
        import polars as pl

        return ReadTable(pl.DataFrame(content, strict=False))
    rows = [row for key in content for row in content[key]]
    parts = np.array([known[key] for key in content for _ in content[key]], dtype=object)
    return ReadTable(_frame(rows, path), parts, [_parts_remark(content, known)])


def _parts_remark(content: dict[str, Any], known: dict[str, str | None]) -> Remark:
    taken = ", ".join(f"{key!r} ({len(rows):,} rows) as {known[key]}" for key, rows in content.items())
    return Remark("parts", "note", f"The file's own parts are kept: {taken}.")


def _part_of(key: str) -> str | None:
    """The split that a key means: "train", "dev", also "oos_test"."""
    return part_name(key) or part_name(key.replace("-", "_").rpartition("_")[2])


def _frame(rows: list[Any], path: Path) -> pl.DataFrame:
    import polars as pl

    if rows and all(isinstance(row, dict) for row in rows):
        return pl.DataFrame(rows, strict=False, infer_schema_length=None)
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if len(widths) != 1 or widths == {0}:
        raise DataError(
            f"{str(path)!r} holds no table; expected rows that are all objects, or all lists of one length."
        )
    width = widths.pop()
    columns = {f"column_{place + 1}": [row[place] for row in rows] for place in range(width)}
    if width == 2 and _are_texts(columns["column_1"]) and _are_texts(columns["column_2"]):
        columns = {"text": columns["column_1"], "label": columns["column_2"]}
    return pl.DataFrame(columns, strict=False)


def _are_texts(cells: list[Any]) -> bool:
    return all(isinstance(cell, str) for cell in cells)


def _text(path: Path, scratch: Path) -> ReadTable:
    from lepton_lab.data.table_batches import read_in_batches
    from lepton_lab.data.table_text import read_text_table

    if path.stat().st_size >= LARGE_BYTES and (batched := read_in_batches(path, scratch)) is not None:
        lazy, keep, remarks = batched
        return ReadTable(LazyTable(lazy, repr(str(path)), keep), remarks=remarks)
    remarks = []
    frame = read_text_table(path, remarks)
    return ReadTable(named_interactions(frame), remarks=remarks)


def named_interactions(frame: pl.DataFrame) -> pl.DataFrame:
    """Names the columns user, item, rating, timestamp where a table without a header plainly holds them.

    That is: two columns that come again and again, a third of few numbers, a fourth of seconds since 1970.
    """
    import polars as pl

    if frame.columns != [f"column_{place}" for place in range(1, 5)] or frame.height < 20:
        return frame
    numbers = [frame[name].cast(pl.Float64, strict=False) for name in frame.columns[2:]]
    if any(series.null_count() for series in numbers):
        return frame
    ratings, moments = numbers
    in_time = moments.min() > 10**8 and moments.max() < 10**10  # type: ignore[operator]
    if not in_time or ratings.n_unique() > 21 or moments.n_unique() < frame.height / 100:
        return frame
    return frame.rename(dict(zip(frame.columns, ("user", "item", "rating", "timestamp"), strict=True)))
