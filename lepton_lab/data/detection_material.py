"""Pictures with boxes, as something to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lepton_lab.data.material import ImageMaterial


@dataclass
class DetectionMaterial(ImageMaterial):
    """Pictures of one size; the labels are `Ragged` boxes (left, top, right, bottom, class) in their pixels."""

    def describe(self) -> dict[str, Any]:
        return {"details": {"boxes": len(self.labels.values)}}
