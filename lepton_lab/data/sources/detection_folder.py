"""A folder of pictures with boxes: Pascal-VOC (Annotations, JPEGImages, ImageSets) or COCO (JSON beside pictures)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lepton_lab.data import fingerprint, pictures
from lepton_lab.data.boxes import Annotated, Box, read_coco, read_voc
from lepton_lab.data.detection_material import DetectionMaterial
from lepton_lab.data.filling import Job, Layout, fill_arrays
from lepton_lab.data.material import Material, Progress, Remark
from lepton_lab.data.placing import Placing
from lepton_lab.data.rows import Ragged
from lepton_lab.data.scan import Scan
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.sources.labelled_files import PARTS, broken_files, natural, walk
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

DEFAULT_SIDE = 256
"""The longer side that pictures are brought to unless `image_size` says otherwise."""


def is_voc(root: Path) -> bool:
    """Whether a folder has the form of a Pascal-VOC set."""
    return (root / "Annotations").is_dir() and any((root / name).is_dir() for name in ("JPEGImages", "images"))


def coco_files(root: Path) -> list[Path]:
    """The JSON files in a folder (or its folder `annotations`) that look like COCO's."""
    found = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])
    return [file for file in found if _names_boxes(file)]


def _names_boxes(file: Path) -> bool:
    """Told from the names of its parts, wherever they stand in the file."""
    try:
        if file.stat().st_size > 2**30:
            return False
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content)


class DetectionFolder(Source):
    """Pictures with boxes around the objects on them."""

    uses = frozenset({"image_size", "image_fit"})

    def __init__(self, spec: DataSpec, scan: Scan) -> None:
        super().__init__(spec, scan.root.name)
        self._root, self._scan = scan.root, scan

    @property
    def name(self) -> str:
        return path_name(self._root)

    def identity(self, store: HasRoot) -> str:
        # Every file below the folder but hidden ones: a new annotation or list changes the set as a picture does.
        return "boxes/" + fingerprint.of_folder(store, self._scan, lambda: walk(self._root))

    def read(self, store: HasRoot, progress: Progress) -> Material:
        progress("Reading the boxes", None)
        remarks: list[Remark] = []
        found = self._voc(remarks) if is_voc(self._root) else self._coco()
        if not found:
            raise DataError(f"{str(self._root)!r} has no picture with an annotation.")
        sizes = self._sizes(found, progress)
        classes = sorted({box.label for picture in found for box in picture.boxes}, key=natural)
        placing = self._placing(sizes, remarks)
        labels = _labels(found, sizes, classes, placing, self._root, remarks)
        parts = np.array([picture.part or "" for picture in found])
        images = self._decode(found, placing, store, progress)
        return DetectionMaterial(
            classes,
            labels,
            np.arange(len(found)),
            {part: np.flatnonzero(parts == part) for part in np.unique(parts).tolist() if part},
            remarks,
            task="detection",
            images=images,
            fit_mode=placing.fit,
        )

    def _voc(self, remarks: list[Remark]) -> list[Annotated]:
        folder = next(self._root / name for name in ("JPEGImages", "images") if (self._root / name).is_dir())
        by_stem = {file.stem: file for file in walk(folder) if file.suffix.lower() in pictures.SUFFIXES}
        parts = self._official()
        found, without = [], set(by_stem)
        for file in sorted(path for path in walk(self._root / "Annotations") if path.suffix.lower() == ".xml"):
            named, boxes = read_voc(file)
            picture = by_stem.get(file.stem) or by_stem.get(Path(named).stem if named else "")
            if picture is None:
                raise DataError(
                    f"{file.name!r} in {str(self._root)!r}: there is no picture {file.stem!r} in {folder.name}."
                )
            without.discard(picture.stem)
            found.append(Annotated(picture, boxes, parts.get(file.stem)))
        if without:
            some = ", ".join(repr(name) for name in sorted(without)[:3])
            message = f"{len(without):,} pictures have no annotation and were left out: {some}."
            remarks.append(Remark("pictures_left_out", "warning", message))
        if parts and (none := [picture for picture in found if picture.part is None]):
            message = f"{len(none):,} pictures are in no list of ImageSets and were left out."
            remarks.append(Remark("pictures_left_out", "warning", message))
            found = [picture for picture in found if picture.part is not None]
        return found

    def _official(self) -> dict[str, str]:
        """The part of each picture, by the lists of ImageSets/Main."""
        parts: dict[str, str] = {}
        for file in sorted((self._root / "ImageSets" / "Main").glob("*.txt")):
            part = PARTS.get(file.stem.lower())
            if part:
                parts.update({line.split()[0]: part for line in file.read_text("utf-8").splitlines() if line.split()})
        return parts

    def _coco(self) -> list[Annotated]:
        files = walk(self._root)
        by_place = {file.relative_to(self._root).as_posix(): file for file in files}
        by_name = {file.name: file for file in files}
        found = []
        for file in coco_files(self._root):
            part = next((PARTS[word] for word in _words(file.stem) if word in PARTS), None)
            for picture in read_coco(file, lambda name: by_place.get(name) or by_name.get(Path(name).name)):
                picture.part = part
                found.append(picture)
        return found

    def _sizes(self, found: list[Annotated], progress: Progress) -> list[tuple[int, int]]:
        """Width and height of each picture, upright as a person sees it."""
        sizes, broken = [], []
        for number, picture in enumerate(found):
            try:
                sizes.append(pictures.upright_size(pictures.open_picture(picture.picture.read_bytes())))
            except (DataError, OSError) as error:
                broken.append((picture.picture, str(error)))
            if number % 100 == 0:
                progress("Looking at the pictures", number / len(found))
        if broken:
            raise broken_files(self._root, broken, "pictures")
        return sizes

    def _placing(self, sizes: list[tuple[int, int]], remarks: list[Remark]) -> Placing:
        """One size for all pictures: their own proportions where they agree, else a square."""
        side = self.spec.image_size or DEFAULT_SIDE
        width, height = sizes[0]
        fit = "pad" if self.spec.image_fit == "auto" else self.spec.image_fit
        if len({round(w / h, 2) for w, h in sizes}) > 1:
            placing = Placing(side, side, fit)
        else:
            if not self.spec.image_size:
                side = min(side, max(width, height))
            scale = side / max(width, height)
            placing = Placing(max(8, round(width * scale)), max(8, round(height * scale)), fit)
        if set(sizes) != {(placing.width, placing.height)}:
            message = (
                f"The pictures are brought to {placing.width}x{placing.height} pixels, their boxes with them; "
                "image_size sets the longer side."
            )
            remarks.append(Remark("resized", "note", message))
        return placing

    def _decode(self, found: list[Annotated], placing: Placing, store: HasRoot, progress: Progress) -> np.ndarray:
        shape = (len(found), 3, placing.height, placing.width)
        options = {"channels": 3, "height": placing.height, "width": placing.width, "fit": placing.fit}
        job = Job("pictures", options, [picture.picture for picture in found], [Layout("|u1", shape)])
        (images,), broken = fill_arrays(job, store, progress, "Decoding pictures")
        if broken:
            raise broken_files(self._root, broken, "pictures")
        return images


def _labels(
    found: list[Annotated],
    sizes: list[tuple[int, int]],
    classes: list[str],
    placing: Placing,
    root: Path,
    remarks: list[Remark],
) -> Ragged:
    """Boxes (left, top, right, bottom, class) in pixels of the stored pictures; what cannot be used is said."""
    number = {label: place for place, label in enumerate(classes)}
    rows, flat, outside = [], [], 0
    for picture, (width, height) in zip(found, sizes, strict=True):
        kept = []
        for box in picture.boxes:
            left, right = (min(max(edge, 0.0), float(width)) for edge in (box.left, box.right))
            top, bottom = (min(max(edge, 0.0), float(height)) for edge in (box.top, box.bottom))
            if box.right > box.left and box.bottom > box.top:
                outside += (left, top, right, bottom) != (box.left, box.top, box.right, box.bottom)
            placed = placing.place((left, top, right, bottom), width, height)
            if right <= left or bottom <= top or placed[2] <= placed[0] or placed[3] <= placed[1]:
                flat.append((picture.picture, box))
                continue
            kept.append((*placed, float(number[box.label])))
        rows.append(np.array(kept, np.float32).reshape(-1, 5))
    if flat:
        remarks.append(_about_flat(flat, root, sum(len(picture.boxes) for picture in found)))
    if outside:
        message = f"{outside:,} boxes reach over the edge of their picture and were cut there."
        remarks.append(Remark("boxes_cut", "note", message))
    if bare := sum(not len(row) for row in rows):
        remarks.append(
            Remark("no_boxes", "note", f"{bare:,} pictures have no box; they show what is none of the classes.")
        )
    return Ragged.of(rows)


def _about_flat(flat: list[tuple[Path, Box]], root: Path, num_boxes: int) -> Remark:
    names = ", ".join(f"{path.relative_to(root).name!r} ({box.label!r})" for path, box in flat[:5])
    more = f" and {len(flat) - 5:,} more" if len(flat) > 5 else ""
    message = (
        f"{len(flat):,} of {num_boxes:,} boxes have no area inside their picture and were left out: {names}{more}."
    )
    return Remark("empty_boxes", "warning", message)


def _words(stem: str) -> list[str]:
    """The words of a file's name: "instances_train2017" has "instances" and "train"."""
    plain = "".join(letter.lower() if letter.isalpha() else " " for letter in stem)
    return plain.split()
