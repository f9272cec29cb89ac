"""What a network hears: log-mel spectrograms and MFCC, in plain numpy.

Every clip is computed by itself, with sums in a fixed order, so that its bits depend on nothing but its samples.

Legend of shapes: S samples, M mel bands, T frames, K coefficients.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010
LOWEST_HERTZ = 20.0
_FLOOR = 1e-6
"""Added to the energy of a band before its logarithm: what is quieter is silence."""


def num_frames(num_samples: int, rate: int) -> int:
    """Frames of a clip: one each 10 ms as long as a window of 25 ms fits in, at least one."""
    window, hop = _steps(rate)
    return 1 + max(0, num_samples - window) // hop


def log_mel(clip: np.ndarray, rate: int, num_mels: int) -> np.ndarray:
    """The log-mel spectrogram of a clip (Davis and Mermelstein 1980; mel scale of O'Shaughnessy).

    Args:
        clip: int16 samples (S,).
        rate: Samples a second.
        num_mels: Bands, from 20 Hz to half the rate.

    Returns:
        float32 (M, T).
    """
    window, hop = _steps(rate)
    samples = clip.astype(np.float64) / 32_768.0
    if len(samples) < window:
        samples = np.concatenate([samples, np.zeros(window - len(samples))])
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    size = 1 << (window - 1).bit_length()
    spectrum = np.fft.rfft(frames * _hann(window), n=size, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.einsum("mb,tb->mt", _filters(rate, size, num_mels), power)
    spoken: np.ndarray = np.log(bands + _FLOOR).astype(np.float32)
    return spoken


def mfcc(log_mels: np.ndarray, num_coefficients: int) -> np.ndarray:
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of each frame's log-mel bands.

    Args:
        log_mels: float32 (M, T).
        num_coefficients: How many of the M coefficients are kept, the lowest first.

    Returns:
        float32 (K, T).
    """
    cosines = _cosines(len(log_mels), num_coefficients)
    coefficients: np.ndarray = np.einsum("km,mt->kt", cosines, log_mels.astype(np.float64)).astype(np.float32)
    return coefficients


def _steps(rate: int) -> tuple[int, int]:
    return max(8, round(rate * WINDOW_SECONDS)), max(4, round(rate * HOP_SECONDS))


@lru_cache(maxsize=8)
def _hann(window: int) -> np.ndarray:
    hann: np.ndarray = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return hann


@lru_cache(maxsize=8)
def _filters(rate: int, size: int, num_mels: int) -> np.ndarray:
    """Triangular bands, evenly spaced in mel, (M, size // 2 + 1); each weighs its bins to a mean."""
    lowest, highest = (2595.0 * np.log10(1.0 + hertz / 700.0) for hertz in (LOWEST_HERTZ, rate / 2))
    edges = 700.0 * (10.0 ** (np.linspace(lowest, highest, num_mels + 2) / 2595.0) - 1.0)
    bins = np.arange(size // 2 + 1) * rate / size
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = np.clip(np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle)), 0.0, None)
    # Low bands can be narrower than the distance of two bins: they take the nearest one.
    empty = np.flatnonzero(bands.sum(axis=1) == 0)
    bands[empty, np.abs(bins[None, :] - middle[empty]).argmin(axis=1)] = 1.0
    filters: np.ndarray = bands / bands.sum(axis=1, keepdims=True)
    return filters


@lru_cache(maxsize=8)
def _cosines(num_mels: int, num_coefficients: int) -> np.ndarray:
    order, band = np.arange(num_coefficients)[:, None], np.arange(num_mels)[None, :]
    cosines: np.ndarray = np.cos(np.pi * order * (2 * band + 1) / (2 * num_mels)) * np.sqrt(2.0 / num_mels)
    cosines[0] /= np.sqrt(2.0)
    return cosines
