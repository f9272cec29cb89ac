"""Clips with their spectrograms, as something to train on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data.audio_preparation import AudioPreparation, fit_scale
from lepton_lab.data.filling import Fill
from lepton_lab.data.forms import save_part
from lepton_lab.data.material import Material
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.sound import decode_clip
from lepton_lab.specs import DataSpec


def unscaled(rate: int, num_samples: int, features: str, num_mels: int, num_rows: int) -> AudioPreparation:
    """The preparation before its scaling is known."""
    zeros, ones = (0.0,) * num_rows, (1.0,) * num_rows
    return AudioPreparation(rate, num_samples, features, num_mels, num_rows, zeros, ones)


def filler(**options: Any) -> Fill:
    """Turns a sound file's bytes into a clip and its spectrogram; the options are those of `unscaled`."""
    preparation = unscaled(**options)

    def fill(content: bytes, rows: list[np.ndarray]) -> None:
        rows[0][:] = decode_clip(content, rate=preparation.rate, num_samples=preparation.num_samples)
        rows[1][:] = preparation.listen(rows[0])

    return fill


@dataclass
class AudioMaterial(Material):
    """Clips of one length and rate; they are kept as `raw`, int16 (N, samples).

    Attributes:
        spectrograms: float32 (N, 1, rows, frames).
        heard: How a clip became a spectrogram.
    """

    spectrograms: np.ndarray = field(default_factory=lambda: np.empty((0, 1, 1, 1), np.float32))
    heard: AudioPreparation = field(default_factory=lambda: unscaled(8000, 8000, "log_mel", 40, 40))

    @property
    def modality(self) -> str:
        return "audio"

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        mean, std = fit_scale(self.spectrograms, train_rows, spec.normalize)
        return AudioPreparation(
            self.heard.rate,
            self.heard.num_samples,
            self.heard.features,
            self.heard.num_mels,
            self.heard.num_rows,
            tuple(mean),
            tuple(std),
        )

    def write(self, path: Path, rows: np.ndarray) -> None:
        save_part(path, self.spectrograms, rows)

    def describe(self) -> dict[str, Any]:
        return {"sound": {"rate": self.heard.rate, "num_samples": self.heard.num_samples}}
