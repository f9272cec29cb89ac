"""Pictures: decoded, brought to one size and the training data's channels, then scaled per channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data.placing import FITS
from lepton_lab.data.preparation import Preparation, decode_uri, numbers, shape_text
from lepton_lab.errors import DataError

_ROWS_PER_CHUNK = 2048
_THREADS = 2


@dataclass(frozen=True)
class ImagePreparation(Preparation):
    """Scaling of pictures.

    Attributes:
        shape: Channels, height, width.
        low: The value of black.
        high: The value of white; 255 for most pictures, 16 for digits.
        mean: Subtracted from each channel (C,).
        std: Divides each channel (C,).
        bounded: Whether numbers outside `low` to `high` are refused.
        fit: What happens to picture files of other proportions; see `Placing`.
    """

    kind: ClassVar[str] = "image"
    shape: tuple[int, int, int]
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bounded: bool = True
    fit: str = "crop"

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.shape

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.array(stored, dtype=np.float32, order="C")
        prepared -= np.asarray(self.mean, np.float32)[:, None, None]
        prepared /= np.asarray(self.std, np.float32)[:, None, None]
        return prepared

    def read(self, items: Sequence[Any]) -> np.ndarray:
        return np.stack([self._read_one(item, f"Item {number}") for number, item in enumerate(items)])

    def _read_one(self, item: Any, where: str) -> np.ndarray:
        if isinstance(item, str) and item.startswith("data:image/"):
            item = decode_uri(item, where, "image/png")
        if isinstance(item, bytes | bytearray | memoryview):
            return self.from_pixels(self._decode(bytes(item), where))
        return self._in_range(self._channels_first(numbers(item, where), where), where)

    def _decode(self, content: bytes, where: str) -> np.ndarray:
        from lepton_lab.data.pictures import decode_picture

        channels, height, width = self.shape
        try:
            return decode_picture(content, channels=channels, height=height, width=width, fit=self.fit)
        except DataError as error:
            raise DataError(f"{where}: {error}") from None

    def from_pixels(self, pixels_CHW: np.ndarray) -> np.ndarray:
        """Pixels of 0 to 255 in the data's own range, the inverse of `to_pixels` for whole-numbered ranges."""
        if (self.low, self.high) == (0.0, 255.0):
            return pixels_CHW.astype(np.float32)
        values = self.low + pixels_CHW.astype(np.float64) / 255.0 * (self.high - self.low)
        whole = float(self.low).is_integer() and float(self.high).is_integer() and self.high - self.low > 2
        return (np.rint(values) if whole else values).astype(np.float32)

    def to_pixels(self, stored_CHW: np.ndarray) -> np.ndarray:
        """Stored values as pixels of 0 to 255, uint8."""
        share = (stored_CHW.astype(np.float64) - self.low) / (self.high - self.low)
        return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)

    def _channels_first(self, array: np.ndarray, where: str) -> np.ndarray:
        channels, height, width = self.shape
        if array.shape == self.shape:
            return array
        if array.shape == (height, width, channels):
            return np.moveaxis(array, -1, 0)
        if (channels == 1 and array.shape == (height, width)) or array.shape == (channels * height * width,):
            return array.reshape(self.shape)
        expected = f"{height}x{width}" if channels == 1 else f"{shape_text(self.shape)} (channels, height, width)"
        raise DataError(f"{where}: expected a picture of {expected} numbers, got {shape_text(array.shape)}.")

    def _in_range(self, array: np.ndarray, where: str) -> np.ndarray:
        low, high = float(array.min()), float(array.max())
        if self.bounded and (low < self.low or high > self.high):
            raise DataError(
                f"{where}: the values go from {low:g} to {high:g}; this network learnt pictures with values "
                f"from {self.low:g} to {self.high:g}."
            )
        return array

    def _fields(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "low": self.low,
            "high": self.high,
            "mean": list(self.mean),
            "std": list(self.std),
            "bounded": self.bounded,
            "fit": self.fit,
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> ImagePreparation:
        channels, height, width = (int(size) for size in fields["shape"])
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        if min(channels, height, width) < 1 or len(mean) != channels or len(std) != channels or 0.0 in std:
            raise ValueError("its shape and scaling do not fit together")
        fit = str(fields.get("fit", "crop"))
        if fit not in FITS:
            raise ValueError(f"it fits pictures by {fit!r}")
        low, high = float(fields["low"]), float(fields["high"])
        return cls((channels, height, width), low, high, mean, std, bool(fields["bounded"]), fit)


def fit_images(
    images_NCHW: np.ndarray,
    rows: np.ndarray,
    normalize: str,
    *,
    low: float,
    high: float,
    bounded: bool,
    fit: str = "crop",
) -> ImagePreparation:
    """Fits the scaling of pictures on the training part.

    Args:
        images_NCHW: All pictures, uint8 or float32.
        rows: The rows of the training part.
        normalize: "auto" and "standard" give mean 0 and standard deviation 1 per channel, "minmax" gives 0 to 1.
        low: The value of black.
        high: The value of white.
        bounded: Whether numbers outside that range are refused later.
        fit: What happens to picture files of other proportions.
    """
    channels = images_NCHW.shape[1]
    if normalize == "none":
        mean, std = [0.0] * channels, [1.0] * channels
    elif normalize == "minmax" or not len(rows):
        mean, std = [low] * channels, [high - low] * channels
    else:
        mean, std = _counted(images_NCHW, rows) if images_NCHW.dtype == np.uint8 else _averaged(images_NCHW, rows)
    shape = (int(channels), int(images_NCHW.shape[2]), int(images_NCHW.shape[3]))
    return ImagePreparation(shape, low, high, tuple(mean), tuple(s if s > 0 else 1.0 for s in std), bounded, fit)


def _counted(images_NCHW: np.ndarray, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of whole levels: whole sums, which are exact in any order."""
    channels = images_NCHW.shape[1]

    def sums(start: int) -> list[tuple[int, int]]:
        chunk = images_NCHW[rows[start : start + _ROWS_PER_CHUNK]]
        found = []
        for channel in range(channels):
            levels = chunk[:, channel].reshape(len(chunk), -1)
            squares = np.square(levels, dtype=np.uint16)
            found.append((int(levels.sum(dtype=np.uint64)), int(squares.sum(dtype=np.uint64))))
        return found

    with ThreadPoolExecutor(_THREADS) as threads:
        parts = list(threads.map(sums, range(0, len(rows), _ROWS_PER_CHUNK)))
    total = [sum(part[channel][0] for part in parts) for channel in range(channels)]
    square = [sum(part[channel][1] for part in parts) for channel in range(channels)]
    count = len(rows) * images_NCHW.shape[2] * images_NCHW.shape[3]
    variance = [
        (count * squared - summed * summed) / (count * count) for summed, squared in zip(total, square, strict=True)
    ]
    return [summed / count for summed in total], np.sqrt(variance).tolist()


def _averaged(images_NCHW: np.ndarray, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of decimal values, in float64 and two passes."""

    def average(of_chunk: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        total = np.zeros(images_NCHW.shape[1])
        for start in range(0, len(rows), _ROWS_PER_CHUNK):
            total += of_chunk(images_NCHW[rows[start : start + _ROWS_PER_CHUNK]].astype(np.float64)).sum((0, 2, 3))
        mean: np.ndarray = total / (len(rows) * images_NCHW.shape[2] * images_NCHW.shape[3])
        return mean

    mean = average(lambda chunk: chunk)
    variance = average(lambda chunk: (chunk - mean[:, None, None]) ** 2)
    return mean.tolist(), np.sqrt(variance).tolist()
