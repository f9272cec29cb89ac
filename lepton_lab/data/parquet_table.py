"""Parquet files a column at a time, by Arrow's own reader: on damaged files it fails with a word and never crashes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.data.limits import check_table
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl


class ParquetTable:
    """Columns of a Parquet file that are read when they are asked for.

    Attributes:
        columns: Names of the columns.
        height: Rows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        schema, height = self._guarded(lambda file: (file.schema_arrow, file.metadata.num_rows))
        self.columns: list[str] = list(schema.names)
        self.height = int(height)
        check_table(path, self.height, len(self.columns))
        if len(set(self.columns)) != len(self.columns):
            raise DataError(f"{str(path)!r} has two columns of one name; every column needs its own.")

    def __getitem__(self, name: str) -> pl.Series:
        """A column, whole.

        Raises:
            DataError: When the file is damaged there.
        """
        read = self._guarded(lambda file: _checked(file, name))
        if name not in read.columns or len(read) != self.height:
            raise DataError(f"{str(self._path)!r}: the column {name!r} has not the {self.height:,} rows of the file.")
        column: pl.Series = read[name]
        return column

    def _guarded(self, act: Any) -> Any:
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._path, page_checksum_verification=True, memory_map=False) as file:
                return act(file)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # Arrow has many kinds of error, and polars panics beside Exception
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise DataError(
                f"{str(self._path)!r} cannot be read ({reason}). Check that the file is whole and a Parquet file."
            ) from None


def _checked(file: Any, name: str) -> Any:
    """A column as a polars frame; texts that are no UTF-8 and offsets that lead elsewhere are refused before."""
    import polars as pl

    read = file.read(columns=[name], use_threads=False)
    read.validate(full=True)
    return pl.from_arrow(read)
