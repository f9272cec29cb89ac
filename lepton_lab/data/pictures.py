"""Picture files: decoded with a list of allowed formats and a size limit, the same way in training and serving."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.data.jpeg import REDUCTIONS, JpegReader
from lepton_lab.data.placing import Placing
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from lepton_lab.data.filling import Fill

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
MAX_PIXELS = 40_000_000
"""Larger pictures are refused before a single pixel is decoded; a phone's camera stays below it."""

_ORIENTATION = 0x0112
"""The camera's mark; above 4 the picture lies on its side."""


def open_picture(content: bytes) -> Image:
    """Reads a picture's header; its pixels are decoded later.

    Raises:
        DataError: When it is not a PNG, JPEG, WebP or BMP file, or larger than `MAX_PIXELS`.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Pillow warns between its own limit and twice that; ours is lower and an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise DataError(f"the picture has more than {MAX_PIXELS:,} pixels; make it smaller.") from None
    except Exception:  # a mutated header can raise nearly anything out of a format plugin
        raise DataError("the file is not a readable PNG, JPEG, WebP or BMP picture.") from None
    if picture.width * picture.height > MAX_PIXELS:
        raise DataError(
            f"the picture has {picture.width:,} x {picture.height:,} pixels; at most {MAX_PIXELS:,} in all are read."
        )
    return picture


def decode_picture(content: bytes, *, channels: int, height: int, width: int, fit: str = "crop") -> np.ndarray:
    """Decodes a picture file into the form of the store.

    Turned as the camera's mark says, transparent parts on white, grey or RGB as asked, brought to the wanted
    proportions as `fit` says and resized where it has another size. A JPEG that is much larger than asked is decoded
    at a half, a quarter or an eighth of its size, which its format allows at a fraction of the work.

    Args:
        content: The file's bytes.
        channels: 1 for grey, 3 for RGB.
        height: Wanted height in pixels.
        width: Wanted width in pixels.
        fit: "crop", "squeeze" or "pad"; see `Placing`.

    Returns:
        uint8 array (channels, height, width).

    Raises:
        DataError: When the file is no readable picture, too large, or the channels are neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise DataError(f"a picture file cannot be turned into {channels} channels; send the numbers as nested lists.")
    return np.ascontiguousarray(_Decoder(channels, Placing(width, height, fit)).read(content)[0])


class _Decoder:
    """Turns picture files, one after the other, into pixels of one shape."""

    def __init__(self, channels: int, placing: Placing) -> None:
        self._channels, self._placing = channels, placing
        self._jpegs = JpegReader()

    def read(self, content: bytes) -> tuple[np.ndarray, bool]:
        """Pixels (channels, height, width), uint8, and whether the file is grey."""
        plain = self._jpegs.read(content, MAX_PIXELS, lambda width, height: _reduction(self._placing, width, height))
        picture = plain or open_picture(content)
        grey = is_grey(picture)
        try:
            pixels = self._pixels(plain or _upright(picture, self._placing))
        except Exception as error:  # a mutated body can raise nearly anything out of a decoder
            raise DataError(f"the picture is damaged ({error}).") from None
        return pixels, grey

    def _pixels(self, upright: Image) -> np.ndarray:
        mode = "L" if self._channels == 1 else "RGB"
        is_plain = upright.mode == mode and "transparency" not in upright.info
        plain = upright if is_plain else _on_white(upright).convert(mode)
        if plain.size != (self._placing.width, self._placing.height):
            plain = _fit(plain, self._placing)
        pixels = np.asarray(plain, dtype=np.uint8)
        return pixels[None] if self._channels == 1 else np.moveaxis(pixels, -1, 0)


def encode_png(pixels_CHW: np.ndarray) -> bytes:
    """A PNG file of uint8 pixels with 1 or 3 channels; of other counts the first channel is drawn."""
    from PIL import Image

    grey = pixels_CHW.shape[0] != 3
    picture = Image.fromarray(pixels_CHW[0] if grey else np.ascontiguousarray(np.moveaxis(pixels_CHW, 0, -1)))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def is_grey(picture: Image) -> bool:
    """Whether a picture's file format has a single channel of brightness."""
    return picture.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "F")


def _upright(picture: Image, placing: Placing) -> Image:
    """A picture as the camera was held; a JPEG is asked for at the part of its size that is needed."""
    orientation = picture.getexif().get(_ORIENTATION, 1)
    if picture.format == "JPEG":
        width, height = picture.size
        part = _reduction(placing, height, width) if orientation > 4 else _reduction(placing, width, height)
        if part > 1:
            picture.draft(picture.mode, (width // part, height // part))
    if orientation == 1:
        return picture
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if picture.mode in ("I", "I;16", "I;16B"):
        # 16-bit grey: Pillow would clip to white what is above 255.
        wide = np.asarray(picture, dtype=np.int64)
        return Image.fromarray((np.clip(wide, 0, 65_535) // 257).astype(np.uint8))
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture
    seen = picture.convert("RGBA")
    white = Image.new("RGBA", seen.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, seen)


def _reduction(placing: Placing, width: int, height: int) -> int:
    """At which part of its size (1, 2, 4 or 8) a JPEG of this width and height is large enough in both directions."""
    left, top, right, bottom = placing.source(width, height)
    to_left, to_top, to_right, to_bottom = placing.goal(width, height)
    share = min((right - left) / (to_right - to_left), (bottom - top) / (to_bottom - to_top))
    if share < 2:
        return 1
    whole = min(width // int(width / share), height // int(height / share))
    return next(part for part in REDUCTIONS if whole >= part)


def _fit(picture: Image, placing: Placing) -> Image:
    """Resizes the used part of a picture in one step; what `pad` leaves free is grey."""
    from PIL import Image

    box = placing.source(*picture.size)
    left, top, right, bottom = placing.goal(*picture.size)
    sized = picture.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=box, reducing_gap=None)
    if sized.size == (placing.width, placing.height):
        return sized
    padded = Image.new(picture.mode, (placing.width, placing.height), 128 if picture.mode == "L" else (128, 128, 128))
    padded.paste(sized, (left, top))
    return padded


def upright_size(picture: Image) -> tuple[int, int]:
    """Width and height of a picture as a person sees it, from its header."""
    # Without a mark in its header a PNG would be decoded whole to look for one behind the pixels.
    turned = "exif" in picture.info and picture.getexif().get(_ORIENTATION, 1) > 4
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def filler(channels: int, height: int, width: int, fit: str) -> Fill:
    """Turns a picture file's bytes into a row of pixels, and where there is a second array, into whether it is grey."""
    decoder = _Decoder(channels, Placing(width, height, fit))

    def fill(content: bytes, rows: list[np.ndarray]) -> None:
        rows[0][:], grey = decoder.read(content)
        if len(rows) > 1:
            rows[1][0] = grey

    return fill


def header_filler() -> Fill:
    """Reads a picture file's header into width, height (upright) and whether it is grey."""

    def fill(content: bytes, rows: list[np.ndarray]) -> None:
        picture = open_picture(content)
        rows[0][:] = (*upright_size(picture), is_grey(picture))

    return fill
