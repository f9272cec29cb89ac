"""Pictures with boxes, as something to train on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lepton_lab.data.material import ImageMaterial
from lepton_lab.data.placing import Placing
from lepton_lab.data.preparation import Preparation
from lepton_lab.specs import DataSpec


@dataclass
class DetectionMaterial(ImageMaterial):
    """Pictures of one size; the labels are `Ragged` boxes (left, top, right, bottom, class) in their pixels.

    Attributes:
        placing: How a picture file came to this size.
    """

    placing: Placing = field(default_factory=lambda: Placing(8, 8))

    def fit(self, train_rows: np.ndarray, spec: DataSpec) -> Preparation:
        from lepton_lab.data.image_preparation import fit_images

        return fit_images(
            self.images,
            train_rows,
            spec.normalize,
            low=self.black,
            high=self.white,
            bounded=self.bounded,
            fit=self.placing.fit,
        )

    def describe(self) -> dict[str, Any]:
        return {"boxes": len(self.labels.values)}
