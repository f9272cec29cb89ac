"""The outline of a WAV file: whether the samples that its header announces are there."""

from __future__ import annotations

import struct

from lepton_lab.errors import DataError

_STREAMED = (0, 0xFFFFFFFF)
"""Lengths that a writer leaves in the header when it does not know the end."""


def check_riff(content: bytes) -> None:
    """Refuses a WAV file that is cut off: a decoder would read the rest without a word.

    Args:
        content: The bytes of a file; one that is no WAV passes.

    Raises:
        DataError: Says how much is announced and how much is there.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        place += 8
        if name == b"data":
            there = len(content) - place
            if size not in _STREAMED and size > there:
                raise DataError(f"the sound is cut off: it announces {size:,} bytes of samples and has {there:,}.")
            if size not in _STREAMED:
                _check_rest(content, place + size + size % 2)
            return
        place += size + size % 2
    raise DataError("the sound is cut off: it has no samples.")


def _check_rest(content: bytes, place: int) -> None:
    """What follows the samples has to be parts with names; else the length of the samples is wrong."""
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        if not all(32 <= letter < 127 for letter in name):
            raise DataError("the sound is damaged: behind the samples that it announces there are more bytes.")
        place += 8 + size + size % 2
