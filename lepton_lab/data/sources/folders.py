"""What a folder holds, told from the endings of its files."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.data.pictures import SUFFIXES as PICTURES
from lepton_lab.data.scan import scan_folder
from lepton_lab.data.sound import SUFFIXES as SOUNDS
from lepton_lab.data.sources.base import Source
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


def source_of_folder(spec: DataSpec, path: Path) -> Source | None:
    """The source for a folder of sounds, pictures (with boxes or without), IDX or .ts files; None where it has none."""
    from lepton_lab.data.sources.array_file import ArrayFile, idx_files
    from lepton_lab.data.sources.detection_folder import DetectionFolder, coco_files, is_voc

    try:
        scan = scan_folder(path)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    counts = scan.suffixes
    num_sounds, num_pictures = (sum(counts[suffix] for suffix in suffixes) for suffixes in (SOUNDS, PICTURES))
    if num_pictures and spec.task in ("auto", "detection") and (is_voc(path) or (counts[".json"] and coco_files(path))):
        return DetectionFolder(spec, scan)
    if not num_pictures and not num_sounds and counts[".gz"] + counts[""] and len(idx_files(path)) >= 2:
        return ArrayFile(spec, path)
    if counts[".ts"] and not num_pictures and not num_sounds:
        return _series_of_folder(spec, path)
    if num_sounds > num_pictures:
        from lepton_lab.data.sources.audio_folder import AudioFolder

        return AudioFolder(spec, scan)
    if num_pictures:
        from lepton_lab.data.sources.folder import PictureFolder

        return PictureFolder(spec, scan)
    return None


def _series_of_folder(spec: DataSpec, path: Path) -> Source:
    """The one problem whose .ts files lie in a folder, as the archives of time series pack them."""
    from lepton_lab.data.sources.ts_file import TsFile, pair_of

    problems = {tuple(sorted(pair_of(file).values())) for file in sorted(path.glob("*.ts"))}
    if len(problems) != 1:
        names = ", ".join(repr(files[-1].name) for files in sorted(problems)[:5])
        raise DataError(f"{str(path)!r} holds {len(problems)} sets of series ({names}, ...); name one of the files.")
    return TsFile(spec, next(iter(problems))[0])
