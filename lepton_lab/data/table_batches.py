"""Large text tables: read in batches into a Parquet file, so that memory stays small; every row's length checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.data.material import Remark
from lepton_lab.data.table_text import Layout, decode_text, find_encoding, find_layout
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_BLOCK_BYTES = 16 * 2**20
_SAMPLE_BYTES = 256 * 1024


def read_in_batches(path: Path, scratch: Path) -> tuple[pl.LazyFrame, Any, list[Remark]] | None:
    """Reads a large text table as texts.

    Args:
        path: The file.
        scratch: A folder for the Parquet file.

    Returns:
        The table, what keeps its file alive, and remarks; None where its separator has two letters, or its beginning
        tells too little.

    Raises:
        DataError: Names the row that has another length than the first.
    """
    import polars as pl
    import pyarrow as pa
    from pyarrow import csv, parquet

    layout, encoding, remarks = _sniff(path)
    if layout is None:
        return None
    keep = tempfile.TemporaryDirectory(dir=scratch, prefix=".batches-")
    place = Path(keep.name) / "table.parquet"
    schema = pa.schema([(name, pa.string()) for name in layout.names])
    try:
        reader = csv.open_csv(
            path,
            csv.ReadOptions(
                column_names=layout.names, skip_rows=int(layout.has_header), block_size=_BLOCK_BYTES, encoding=encoding
            ),
            csv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
            csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
        )
        with reader, parquet.ParquetWriter(place, schema) as out:
            for batch in reader:
                out.write_batch(batch)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        keep.cleanup()
        raise DataError(f"{str(path)!r}: {str(error).splitlines()[0][:200]}") from None
    return pl.scan_parquet(place, glob=False), keep, remarks


def _sniff(path: Path) -> tuple[Layout | None, str, list[Remark]]:
    """Layout and encoding, from the beginning of the file."""
    with path.open("rb") as stream:
        raw = stream.read(_SAMPLE_BYTES)
    remarks: list[Remark] = []
    encoding = find_encoding(raw)
    whole = raw[: raw.rfind(b"\n") + 1] if encoding.startswith("utf-8") else raw[: len(raw) // 2 * 2]
    if not whole:
        return None, encoding, remarks
    text = decode_text(whole, path, remarks)
    text = text[: text.rfind("\n") + 1]
    if any(remark.kind == "encoding" for remark in remarks):
        encoding = "cp1252"
    if text.count("::") > text.count("\n"):
        return None, encoding, remarks
    return find_layout(text, path), "utf-8" if encoding == "utf-8-sig" else encoding, remarks
