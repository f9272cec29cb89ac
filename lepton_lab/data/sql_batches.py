"""Rows of a database, batch by batch on disk, then together as one Arrow file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl


class Batches:
    """Batches of rows with the same columns.

    Args:
        folder: Where the batches are kept.

    Attributes:
        num_rows: Rows so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, list[Path]()
        self.num_rows = 0

    def add(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Keeps a batch.

        Raises:
            DataError: Names the column whose cells are of a kind that cannot be learnt from.
        """
        import polars as pl

        columns = [
            pl.Series(name, [_plain(cell, name) for cell in cells], strict=False)
            for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        ]
        file = self._folder / f"{len(self._files):06}.parquet"
        pl.DataFrame(columns).write_parquet(file)
        self._files.append(file)
        self.num_rows += len(rows)

    def together(self) -> Path:
        """All rows in one Arrow file; a column whose batches are of different types becomes texts."""
        import polars as pl

        schemas = [pl.read_parquet_schema(file) for file in self._files]
        types = {name: _common([schema[name] for schema in schemas]) for name in schemas[0]}
        parts = [
            pl.scan_parquet(file, glob=False).select(pl.col(name).cast(kind) for name, kind in types.items())
            for file in self._files
        ]
        out = self._folder / "frame.arrow"
        pl.concat(parts).sink_ipc(out, compression="uncompressed", maintain_order=True)
        return out


def _common(types: Sequence[pl.DataType | type[pl.DataType]]) -> Any:
    """A type that all batches of a column can have."""
    import polars as pl

    different = [kind for kind in dict.fromkeys(types) if kind != pl.Null]
    if len(different) <= 1:
        return different[0] if different else pl.Float64
    if all(kind.is_numeric() for kind in different):
        return pl.Float64
    return pl.String


def _plain(cell: Any, name: str) -> Any:
    """A database's value as polars has it."""
    if isinstance(cell, Decimal):
        return float(cell)
    if isinstance(cell, UUID | time):
        return str(cell)
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, bytes | bytearray | memoryview):
        raise DataError(f"The column {name!r} of the query holds bytes; leave it out, or turn it into text or numbers.")
    if isinstance(cell, dict):
        raise DataError(f"The column {name!r} of the query holds JSON objects; ask for their fields one by one.")
    return cell
