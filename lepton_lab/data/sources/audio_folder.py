"""A folder of WAV, FLAC or OGG files with a label each."""

from __future__ import annotations

import numpy as np

from lepton_lab.data import sound
from lepton_lab.data.audio_material import AudioMaterial, unscaled
from lepton_lab.data.filling import Job, Layout, fill_arrays
from lepton_lab.data.material import Material, Progress, Remark
from lepton_lab.data.sources.labelled_files import Listing, broken_files
from lepton_lab.data.sources.labelled_folder import LabelledFolder
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError, SpecError

DEFAULT_RATE = 16_000
"""Sounds with more samples a second are brought to this rate unless `sample_rate` says otherwise."""
_KEPT_WHOLE = 0.98
"""Share of the files that the default length of a clip leaves whole."""
_NUM_MFCC = 20


class AudioFolder(LabelledFolder):
    """Sounds whose class is the name of their folder, a field of their name, or a cell of a table."""

    uses = frozenset(
        {"pattern", "label_table", "test_where", "roles", "sample_rate", "clip_seconds", "audio_features", "num_mels"}
    )
    kind, suffixes, noun = "sounds", sound.SUFFIXES, "sounds"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        listing = self._listed()
        classes, labels = listing.classes()
        groups = listing.groups(self.spec.role_by_column())
        rate, num_samples, remarks = self._choose_length(listing, progress)
        num_mels = self.spec.num_mels
        num_rows = min(_NUM_MFCC, num_mels) if self.spec.audio_features == "mfcc" else num_mels
        heard = unscaled(rate, num_samples, self.spec.audio_features, num_mels, num_rows)
        count = len(listing.files)
        job = Job(
            "sounds",
            {
                "rate": rate,
                "num_samples": num_samples,
                "features": heard.features,
                "num_mels": num_mels,
                "num_rows": num_rows,
            },
            [file.path for file in listing.files],
            [Layout("<i2", (count, num_samples)), Layout("<f4", (count, *heard.stored_shape))],
        )
        (clips, spectrograms), broken = fill_arrays(job, store, progress, "Listening to the sounds")
        if broken:
            raise broken_files(self._root, broken, "sounds")
        return AudioMaterial(
            classes=classes,
            labels=labels,
            row_ids=np.arange(count),
            official=listing.official(),
            remarks=[*listing.remarks, *remarks],
            groups=groups,
            raw=clips,
            spectrograms=spectrograms,
            heard=heard,
        )

    def _choose_length(self, listing: Listing, progress: Progress) -> tuple[int, int, list[Remark]]:
        """Rate and samples of every clip, from the files' headers."""
        headers, broken = [], []
        for number, file in enumerate(listing.files):
            try:
                headers.append(sound.read_header(file.path.read_bytes()))
            except (DataError, OSError) as error:
                broken.append((file.path, str(error)))
            if number % 200 == 0:
                progress("Looking at the sounds", number / len(listing.files))
        if broken:
            raise broken_files(self._root, broken, "sounds")
        rates = sorted({header.rate for header in headers})
        rate = self.spec.sample_rate or min(DEFAULT_RATE, max(rates))
        seconds = np.array([header.num_samples / header.rate for header in headers])
        asked = self.spec.clip_seconds
        chosen = asked or max(0.1, float(np.ceil(np.quantile(seconds, _KEPT_WHOLE) * 10 - 1e-9) / 10))
        num_samples = round(rate * chosen)
        if num_samples > sound.MAX_SAMPLES:
            raise SpecError(
                f"data: clip_seconds is {chosen:g}; at most {sound.MAX_SAMPLES // rate:,} s at {rate:,} Hz."
            )
        return rate, num_samples, list(self._about(seconds, chosen, rates, rate))

    def _about(self, seconds: np.ndarray, chosen: float, rates: list[int], rate: int) -> list[Remark]:
        remarks = []
        if rates != [rate]:
            was = " to ".join(f"{value:,}" for value in sorted({rates[0], rates[-1]}))
            message = f"The sounds ({was} samples a second) are brought to {rate:,}; sample_rate sets another rate."
            remarks.append(Remark("resampled", "note", message))
        if len(np.unique(seconds)) > 1 or seconds[0] != chosen:
            cut = int((seconds > chosen).sum())
            message = (
                f"The sounds last {seconds.min():.2f} to {seconds.max():.2f} s; each is brought to {chosen:g} s "
                f"({cut:,} are cut at both ends, shorter ones get silence). clip_seconds sets another length."
            )
            remarks.append(Remark("clipped", "note", message))
        return remarks
