"""Curve frames as one binary WebSocket message: header length, header, buffer."""

from __future__ import annotations

import json
import struct
from typing import Any


def pack_frame(header: dict[str, Any], buffer: bytes) -> bytes:
    """One message: uint32 little-endian header length, the header as UTF-8 JSON, the buffer.

    The header is padded with spaces so that the buffer begins at a multiple of 8 bytes.
    """
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    text += b" " * (-(4 + len(text)) % 8)
    return struct.pack("<I", len(text)) + text + buffer


def unpack_frame(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the buffer of a message made by `pack_frame`."""
    (length,) = struct.unpack_from("<I", message)
    header: dict[str, Any] = json.loads(message[4 : 4 + length])
    return header, message[4 + length :]
