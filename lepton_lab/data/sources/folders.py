"""What a folder holds, told from the endings of its files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lepton_lab.data.pictures import SUFFIXES as PICTURES
from lepton_lab.data.sound import SUFFIXES as SOUNDS
from lepton_lab.data.sources.base import Source
from lepton_lab.data.sources.labelled_files import walk
from lepton_lab.specs import DataSpec


def source_of_folder(spec: DataSpec, path: Path) -> Source | None:
    """The source for a folder of sounds, of pictures with boxes, or of pictures; None where it holds none of them."""
    from lepton_lab.data.sources.detection_folder import DetectionFolder, coco_files, is_voc

    counts = Counter(file.suffix.lower() for file in walk(path))
    num_sounds, num_pictures = (sum(counts[suffix] for suffix in suffixes) for suffixes in (SOUNDS, PICTURES))
    if num_pictures and spec.task in ("auto", "detection") and (is_voc(path) or (counts[".json"] and coco_files(path))):
        return DetectionFolder(spec, path)
    if num_sounds > num_pictures:
        from lepton_lab.data.sources.audio_folder import AudioFolder

        return AudioFolder(spec, path)
    if num_pictures:
        from lepton_lab.data.sources.folder import PictureFolder

        return PictureFolder(spec, path)
    return None
