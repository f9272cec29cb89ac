"""Sounds: decoded, brought to one rate and length, turned into a spectrogram, then scaled per band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lepton_lab.data import sound, spectrum
from lepton_lab.data.preparation import Preparation, decode_uri, numbers, shape_text
from lepton_lab.errors import DataError

FEATURES = ("log_mel", "mfcc")


@dataclass(frozen=True)
class AudioPreparation(Preparation):
    """How a sound becomes what a network hears.

    A stored row is the spectrogram before it is scaled: making it costs far more than scaling it, and is done once.

    Attributes:
        rate: Samples a second of a clip.
        num_samples: Samples of a clip.
        features: "log_mel" or "mfcc".
        num_mels: Bands of the spectrogram.
        num_rows: Rows of a stored spectrogram: `num_mels`, or the coefficients kept for MFCC.
        mean: Subtracted from each row (num_rows,).
        std: Divides each row (num_rows,).
    """

    kind: ClassVar[str] = "audio"
    rate: int
    num_samples: int
    features: str
    num_mels: int
    num_rows: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return (1, self.num_rows, spectrum.num_frames(self.num_samples, self.rate))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.stored_shape

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        prepared = np.array(stored, dtype=np.float32, order="C")
        prepared -= np.asarray(self.mean, np.float32)[:, None]
        prepared /= np.asarray(self.std, np.float32)[:, None]
        return prepared

    def read(self, items: Sequence[Any]) -> np.ndarray:
        clips = (self.read_clip(item, f"Item {number}") for number, item in enumerate(items))
        return np.stack([self.listen(clip) for clip in clips])

    def listen(self, clip: np.ndarray) -> np.ndarray:
        """The stored form of a clip of `num_samples` 16-bit samples: float32 (1, num_rows, frames)."""
        mels = spectrum.log_mel(clip, self.rate, self.num_mels)
        return (spectrum.mfcc(mels, self.num_rows) if self.features == "mfcc" else mels)[None]

    def read_clip(self, item: Any, where: str) -> np.ndarray:
        """A clip from a WAV, FLAC or OGG file, its data: URI, or samples at the clip's rate.

        Samples are 16-bit whole numbers (an int16 array) or decimals from -1 to 1.

        Raises:
            DataError: Says what is wrong with the item.
        """
        if isinstance(item, str) and item.startswith("data:audio/"):
            item = decode_uri(item, where, "audio/wav")
        if isinstance(item, bytes | bytearray | memoryview):
            try:
                return sound.decode_clip(bytes(item), rate=self.rate, num_samples=self.num_samples)
            except DataError as error:
                raise DataError(f"{where}: {error}") from None
        if isinstance(item, np.ndarray) and item.dtype == np.int16 and item.ndim == 1 and len(item):
            return sound.fit_clip(item.astype(np.float64) / 32_768.0, self.num_samples)
        samples = numbers(item, where)
        if samples.ndim != 1 or len(samples) > sound.MAX_SAMPLES:
            raise DataError(f"{where}: expected a list of samples, got {shape_text(samples.shape)}.")
        if np.abs(samples).max() > 1.0:
            raise DataError(f"{where}: the samples go up to {np.abs(samples).max():g}; expected -1 to 1.")
        return sound.fit_clip(samples.astype(np.float64), self.num_samples)

    def _fields(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "num_samples": self.num_samples,
            "features": self.features,
            "num_mels": self.num_mels,
            "num_rows": self.num_rows,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> AudioPreparation:
        mean, std = (tuple(float(value) for value in fields[key]) for key in ("mean", "std"))
        rate, num_samples, num_mels, num_rows = (
            int(fields[key]) for key in ("rate", "num_samples", "num_mels", "num_rows")
        )
        if fields["features"] not in FEATURES or not len(mean) == len(std) == num_rows or 0.0 in std:
            raise ValueError("its features and scaling do not fit together")
        if not (1 <= num_rows <= num_mels <= 1024 and 1 <= rate <= 768_000 and 1 <= num_samples <= sound.MAX_SAMPLES):
            raise ValueError("its rate, length or bands are out of range")
        return cls(rate, num_samples, str(fields["features"]), num_mels, num_rows, mean, std)


def fit_scale(features_NMT: np.ndarray, rows: np.ndarray, normalize: str) -> tuple[list[float], list[float]]:
    """Mean and divisor of each band over the training part, in float64, a chunk of clips at a time.

    Args:
        features_NMT: Stored rows (N, 1, M, T), possibly mapped from disk.
        rows: The rows of the training part.
        normalize: As in `DataSpec`; "minmax" brings each band to 0 to 1.
    """
    num_bands = features_NMT.shape[2]
    if normalize == "none" or not len(rows):
        return [0.0] * num_bands, [1.0] * num_bands
    total, square = np.zeros(num_bands), np.zeros(num_bands)
    low, high = np.full(num_bands, np.inf), np.full(num_bands, -np.inf)
    for start in range(0, len(rows), 1024):
        chunk = features_NMT[rows[start : start + 1024], 0].astype(np.float64)
        total += chunk.sum((0, 2))
        square += (chunk**2).sum((0, 2))
        low, high = np.minimum(low, chunk.min((0, 2))), np.maximum(high, chunk.max((0, 2)))
    if normalize == "minmax":
        return low.tolist(), np.where(high > low, high - low, 1.0).tolist()
    count = len(rows) * features_NMT.shape[3]
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0.0))
    return mean.tolist(), np.where(std > 1e-6, std, 1.0).tolist()
