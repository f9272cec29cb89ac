"""How much a packed file may unpack to: decided from what it announces, before anything is unpacked."""

from __future__ import annotations

from lepton_lab.errors import DataError

MAX_UNPACKED_BYTES = 64 * 2**30
"""The most that one source may unpack to."""
MAX_MEMBERS = 2_000_000
"""The most files that one archive may hold."""
MAX_RATIO = 400
"""Real data packs to a hundredth at best; what announces more is made to fill a disk."""
SMALL_BYTES = 32 * 2**20
"""What stays below this is unpacked whatever its ratio: a few blank pictures are no bomb."""


def check_unpacked(packed_bytes: int, unpacked_bytes: int, where: str) -> None:
    """Refuses what would unpack to more than makes sense.

    Args:
        packed_bytes: Size as it is.
        unpacked_bytes: Size as it announces, or as far as it was unpacked.
        where: What to call it in the error.

    Raises:
        DataError: Says both sizes.
    """
    if unpacked_bytes <= SMALL_BYTES:
        return
    if unpacked_bytes > MAX_UNPACKED_BYTES or unpacked_bytes > MAX_RATIO * max(1, packed_bytes):
        raise DataError(
            f"{where} has {packed_bytes:,} bytes and would unpack to {unpacked_bytes:,} or more; that is refused as "
            "a decompression bomb. Unpack it by hand if you trust it."
        )
