"""Datasets that come inside a library, so that they need no download."""

from __future__ import annotations

import numpy as np

from lepton_lab.data.material import ImageMaterial, Material, Progress
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot


class Digits(Source):
    """scikit-learn's handwritten digits: 1,797 pictures of 8x8, values 0 to 16."""

    def identity(self, store: HasRoot) -> str:
        return "digits/1"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from sklearn.datasets import load_digits

        progress("Reading digits from scikit-learn", None)
        bunch = load_digits()
        images = np.asarray(bunch.images).astype(np.uint8)[:, None]
        labels = np.asarray(bunch.target).astype(np.int64)
        classes = [str(digit) for digit in range(10)]
        return ImageMaterial(classes, labels, np.arange(len(labels)), images=images, white=16.0)
