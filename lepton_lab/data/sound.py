"""Sound files: decoded with a list of allowed formats and a limit of length, the same way in training and serving.

A clip is one channel of 16-bit samples at one rate and of one length. Everything behind it sees nothing else, so a
file, its decoded samples and the clip of the store give the same bits.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from lepton_lab.data.riff import check_riff
from lepton_lab.errors import DataError

if TYPE_CHECKING:
    from soundfile import SoundFile

SUFFIXES = frozenset({".wav", ".flac", ".ogg"})
FORMATS = frozenset({"WAV", "WAVEX", "FLAC", "OGG"})
MAX_SAMPLES = 60_000_000
"""Longer recordings are refused before a sample is decoded: 20 minutes at 48 kHz."""
MAX_CHANNELS = 64
_LOBES = 16
"""Zero crossings of the resampling filter on each side of its middle."""
_OUTPUTS_PER_CHUNK = 16_384


@dataclass(frozen=True)
class SoundHeader:
    """What a sound file says about itself.

    Attributes:
        rate: Samples a second.
        num_samples: Samples of one channel.
        channels: 1 for mono.
    """

    rate: int
    num_samples: int
    channels: int


def read_header(content: bytes) -> SoundHeader:
    """Reads a sound file's header.

    Raises:
        DataError: When it is no WAV, FLAC or OGG file, is cut off, or too long.
    """
    with _open(content) as sound:
        return SoundHeader(int(sound.samplerate), int(sound.frames), int(sound.channels))


def decode_clip(content: bytes, *, rate: int, num_samples: int) -> np.ndarray:
    """Decodes a sound file into a clip.

    Channels are averaged, the rate is converted, and the clip is cut or filled with silence evenly at both ends.

    Args:
        content: The file's bytes.
        rate: Wanted samples a second.
        num_samples: Wanted length.

    Returns:
        int16 array (num_samples,).

    Raises:
        DataError: When the file is no readable sound, cut off, or too long.
    """
    with _open(content) as sound:
        announced, source_rate = int(sound.frames), int(sound.samplerate)
        try:
            samples = sound.read(announced, dtype="float64", always_2d=True)
        except Exception as error:  # a mutated body can raise nearly anything out of a decoder
            raise DataError(f"the sound is damaged ({error}).") from None
    if len(samples) != announced:
        raise DataError(f"the sound is cut off: {len(samples):,} of {announced:,} samples could be read.")
    if not np.isfinite(samples).all():
        raise DataError("the sound holds samples that are no finite numbers.")
    return fit_clip(resample(samples.mean(axis=1), source_rate, rate), num_samples)


def fit_clip(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """Samples of -1 to 1 as 16-bit ones, cut or filled with silence evenly at both ends."""
    if len(samples) > num_samples:
        start = (len(samples) - num_samples) // 2
        samples = samples[start : start + num_samples]
    clip = np.zeros(num_samples, np.int16)
    start = (num_samples - len(samples)) // 2
    clip[start : start + len(samples)] = to_int16(samples)
    return clip


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Samples of -1 to 1 as 16-bit whole numbers; louder ones are clipped."""
    return np.clip(np.rint(samples * 32_768.0), -32_768, 32_767).astype(np.int16)


def encode_wav(clip: np.ndarray, rate: int) -> bytes:
    """A clip as a WAV file of 16-bit samples, one channel."""
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.ascontiguousarray(clip, "<i2").tobytes())
    return buffer.getvalue()


def resample(samples: np.ndarray, source_rate: int, rate: int) -> np.ndarray:
    """Samples at another rate: band-limited interpolation with a Kaiser-windowed sinc (J. O. Smith, CCRMA).

    Args:
        samples: One channel, (n,).
        source_rate: Their samples a second.
        rate: Wanted samples a second.

    Returns:
        float64 (ceil(n * rate / source_rate),).
    """
    if source_rate == rate or not len(samples):
        return np.asarray(samples, np.float64)
    common = gcd(source_rate, rate)
    up, down = rate // common, source_rate // common
    # Rates such as 44,101 Hz have more phases than samples: the nearest of 4,096 will do.
    phases = min(up, 4096)
    filters, half = _phases(phases, up / down)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half + 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])
    num_outputs = -(-len(samples) * up // down)
    out = np.empty(num_outputs)
    for start in range(0, num_outputs, _OUTPUTS_PER_CHUNK):
        places = np.arange(start, min(num_outputs, start + _OUTPUTS_PER_CHUNK)) * down
        out[start : start + len(places)] = np.einsum(
            "ij,ij->i", windows[places // up], filters[places % up * phases // up]
        )
    return out


@lru_cache(maxsize=8)
def _phases(phases: int, ratio: float) -> tuple[np.ndarray, int]:
    """The filter of each fractional position (phases, taps), and its taps before the position."""
    cutoff = min(1.0, ratio) * 0.95
    half = int(np.ceil(_LOBES / cutoff))
    offsets = np.arange(-half, half + 1)[None, :] - (np.arange(phases) / phases)[:, None]
    span = np.clip(1.0 - (offsets / (half + 1.0)) ** 2, 0.0, None)
    filters = cutoff * np.sinc(cutoff * offsets) * np.i0(8.0 * np.sqrt(span)) / np.i0(8.0)
    return filters / filters.sum(axis=1, keepdims=True), half


def _open(content: bytes) -> SoundFile:
    """The file, its header read and held against the limits."""
    import soundfile

    check_riff(content)
    try:
        sound = soundfile.SoundFile(io.BytesIO(content))
    except Exception:  # a mutated header can raise nearly anything out of a decoder
        raise DataError("the file is not a readable WAV, FLAC or OGG sound.") from None
    if sound.format not in FORMATS:
        raise DataError(f"the file is a sound of the format {sound.format}; expected WAV, FLAC or OGG.")
    if not 1 <= sound.samplerate <= 768_000 or not 1 <= sound.channels <= MAX_CHANNELS:
        raise DataError(
            f"the sound announces {sound.channels:,} channels at {sound.samplerate:,} samples a second; expected at "
            f"most {MAX_CHANNELS} channels and 768,000 samples a second."
        )
    if sound.frames < 1:
        raise DataError("the sound holds no sample.")
    if sound.frames * sound.channels > MAX_SAMPLES:
        raise DataError(f"the sound has {sound.frames:,} samples; at most {MAX_SAMPLES:,} are read. Cut it into parts.")
    return sound
