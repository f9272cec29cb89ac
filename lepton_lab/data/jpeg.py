"""Plain JPEG files decoded with libjpeg-turbo itself: the same pixels as Pillow's, at two thirds of the work.

Pillow decodes through a file object, line by line, into pixels of its own. simplejpeg gives the whole file to the
same library and the library writes where it is told to. What is not plain (a camera's mark of how it was held, several
pictures in one file, printers' inks, anything damaged) is left to Pillow, whose answer is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

REDUCTIONS = (8, 4, 2, 1)
"""A JPEG can be decoded at these parts of its size."""

_MODES = {"YCbCr": ("RGB", "RGBX", 4), "Gray": ("L", "GRAY", 1)}
_SMALLEST = 64
"""Below this side two of the format's reductions can give the same size, and the work is small anyway."""
_MARKS = (b"Exif", b"MPF\0")


class JpegReader:
    """Decodes JPEG files, one after the other, into a buffer that it keeps."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def read(self, content: bytes, max_pixels: int, reduction: Callable[[int, int], int]) -> Image | None:
        """Decodes one file.

        Args:
            content: The file's bytes.
            max_pixels: Larger pictures are not decoded.
            reduction: Tells for a width and a height which of `REDUCTIONS` to decode at.

        Returns:
            The picture (RGB or grey); None where Pillow must look at the file.
        """
        if not content.startswith(b"\xff\xd8\xff") or any(mark in content for mark in _MARKS):
            return None
        try:
            import simplejpeg
        except ImportError:
            return None
        try:
            height, width, colours, _ = simplejpeg.decode_jpeg_header(content)
            if min(height, width) < _SMALLEST or height * width > max_pixels or colours not in _MODES:
                return None
            mode, layout, depth = _MODES[colours]
            part = reduction(width, height)
            high, wide = -(-height // part), -(-width // part)
            pixels = simplejpeg.decode_jpeg(
                content, layout, min_height=high, min_width=wide, buffer=self._room(high * wide * depth)
            )
        except ValueError:  # damaged, or of a kind that simplejpeg does not know
            return None
        if pixels.shape[:2] != (high, wide):
            return None
        from PIL import Image

        return Image.frombytes(mode, (wide, high), pixels, "raw", layout if depth > 1 else mode)

    def _room(self, num_bytes: int) -> bytearray:
        if len(self._buffer) < num_bytes:
            self._buffer = bytearray(num_bytes)
        return self._buffer
