"""Curves for TensorBoard, written by hand: two record fields need no library.

A file is a row of records: length, its checksum, content, its checksum (TFRecord); the content is an `Event` of
protocol buffers with the fields wall_time (1, double), step (2, varint), file_version (3) and summary (5), whose
value (1) has tag (1) and simple_value (2, float).
"""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Any

VERSION = b"brain.Event:2"
_POLYNOMIAL = 0x82F63B78


class TensorBoard:
    """A callback that writes what a run measures.

    Args:
        folder: Where the file goes; it is made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.lepton.{os.getpid()}"
        self._path, self._waiting = folder / name, bytearray()
        self._add(_field(3, VERSION))
        self._write()

    def on_metrics_recorded(self, event: dict[str, Any]) -> None:
        """Writes the points of every curve, and the learning rate."""
        for name, points in event["series"].items():
            for step, value in zip(points["step"], points["value"], strict=True):
                self._scalar(name, step, value)
        self._scalar("learning_rate", event["step"], event["learning_rate"])
        self._write()

    def on_epoch_ended(self, event: dict[str, Any]) -> None:
        """Writes what validation measured."""
        for name, value in event.items():
            if name.startswith("val_") and isinstance(value, float):
                self._scalar(name, event["step"], value)
        self._write()

    def _scalar(self, name: str, step: int, value: float) -> None:
        said = _field(1, name.encode()) + struct.pack("<Bf", 2 << 3 | 5, value)
        self._add(b"\x10" + _varint(step) + _field(5, _field(1, said)))

    def _add(self, content: bytes) -> None:
        content = struct.pack("<Bd", 1 << 3 | 1, time.time()) + content
        head = struct.pack("<Q", len(content))
        self._waiting += head + _checksum(head) + content + _checksum(content)

    def _write(self) -> None:
        with self._path.open("ab") as file:
            file.write(self._waiting)
        self._waiting.clear()


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def _checksum(content: bytes) -> bytes:
    """CRC-32C, turned and shifted as TFRecord wants it."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 255] ^ value >> 8
    value ^= 0xFFFFFFFF
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)
