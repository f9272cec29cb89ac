"""How much a packed file may unpack to: decided from what it announces, before anything is unpacked."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.errors import DataError

MAX_UNPACKED_BYTES = 64 * 2**30
"""The most that one source may unpack to."""
MAX_MEMBERS = 2_000_000
"""The most files that one archive may hold."""
MAX_RATIO = 400
"""Real data packs to a hundredth at best; what announces more is made to fill a disk."""
MAX_TABLE_RATIO = 1_000
"""Columns of equal cells pack better than files do."""
CELL_BYTES = 8
"""What a cell of a table takes in memory, about."""
SMALL_BYTES = 32 * 2**20
"""What stays below this is unpacked whatever its ratio: a few blank pictures are no bomb."""


def check_table(path: Path, num_rows: int, num_columns: int) -> None:
    """Refuses a table that announces far more cells than its file can mean.

    Raises:
        DataError: Says both sizes.
    """
    packed_bytes = path.stat().st_size
    check_unpacked(packed_bytes, num_rows * num_columns * CELL_BYTES, repr(str(path)), MAX_TABLE_RATIO)


def check_unpacked(packed_bytes: int, unpacked_bytes: int, where: str, max_ratio: int = MAX_RATIO) -> None:
    """Refuses what would unpack to more than makes sense.

    Args:
        packed_bytes: Size as it is.
        unpacked_bytes: Size as it announces, or as far as it was unpacked.
        where: What to call it in the error.
        max_ratio: By how much it may grow.

    Raises:
        DataError: Says both sizes.
    """
    if unpacked_bytes <= SMALL_BYTES:
        return
    if unpacked_bytes > MAX_UNPACKED_BYTES or unpacked_bytes > max_ratio * max(1, packed_bytes):
        raise DataError(
            f"{where} has {packed_bytes:,} bytes and would unpack to {unpacked_bytes:,} or more; that is refused as "
            "a decompression bomb. Unpack it by hand if you trust it."
        )
