"""What an Arrow stream announces, told from its messages without unpacking any of their bodies.

The layout is that of FlatBuffers: a table begins with the way back to its list of fields, which holds where in the
table each field stands. A message's third field is its header; that of a record batch begins with its rows.
"""

from __future__ import annotations

import struct
from pathlib import Path

from lepton_lab.errors import DataError

_HEADER, _ROWS = 2, 0


def announced_by_stream(path: Path) -> tuple[int, int]:
    """Rows and columns of a file in Arrow's stream form.

    Raises:
        DataError: When it is no such stream.
    """
    import pyarrow as pa

    rows = 0
    try:
        with pa.OSFile(str(path)) as opened:
            num_columns = len(pa.ipc.open_stream(opened).schema)
            opened.seek(0)
            for message in pa.ipc.MessageReader.open_stream(opened):
                if message.type == "record batch":
                    rows += max(0, _rows(message.metadata.to_pybytes()))
    except (pa.ArrowException, OSError, struct.error, EOFError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(
            f"{str(path)!r} cannot be read ({reason}). Check that the file is whole and an Arrow file."
        ) from None
    return rows, num_columns


def _rows(metadata: bytes) -> int:
    """The number of rows in a record batch's metadata."""
    message = struct.unpack_from("<I", metadata, 0)[0]
    header = _field(metadata, message, _HEADER)
    batch = header + struct.unpack_from("<I", metadata, header)[0]
    place = _field(metadata, batch, _ROWS)
    return int(struct.unpack_from("<q", metadata, place)[0]) if place != batch else 0


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table stands; the table itself where it has no such field."""
    fields = table - struct.unpack_from("<i", metadata, table)[0]
    size = struct.unpack_from("<H", metadata, fields)[0]
    place = 4 + 2 * number
    return table + (struct.unpack_from("<H", metadata, fields + place)[0] if place < size else 0)
