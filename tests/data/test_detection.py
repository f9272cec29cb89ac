"""Pictures with boxes: Pascal-VOC and COCO; boxes move with their pictures; what is wrong with them is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton_lab.data import load
from lepton_lab.data.placing import FITS, Placing
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"


def picture(path: Path, box: tuple[int, int, int, int], width: int = 80, height: int = 60) -> None:
    """A black picture with a white box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    Image.fromarray(pixels).save(path)


def voc(folder: Path, boxes: dict[str, list[tuple]], size: tuple[int, int] = (80, 60)) -> DataSpec:
    """A Pascal-VOC set of white boxes."""
    (folder / "Annotations").mkdir(parents=True)
    for name, found in boxes.items():
        picture(folder / "JPEGImages" / f"{name}.png", found[0][1:] if found else (0, 0, 0, 0), *size)
        body = "".join(OBJECT.format(*box) for box in found)
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{body}</annotation>")
    return DataSpec(name=str(folder))


def test_blood_cells(store, material):
    cells = load(DataSpec(name=str(material / "bccd")), store)
    assert (cells.task, cells.modality, cells.classes) == ("detection", "image", ["Platelets", "RBC", "WBC"])
    assert cells.input_shape == (3, 192, 256)
    rows = {part: len(split) for part, split in cells.splits.items()}
    assert rows["train"] + rows["test"] == 205 and rows["validation"] == 87
    counted = {entry["name"]: entry["rows"] for entry in cells.card().to_dict()["classes"]}
    assert counted == {"Platelets": 292, "RBC": 3350 - 2, "WBC": 301}
    said = [warning["message"] for warning in cells.card().warnings if warning["kind"] == "empty_boxes"]
    assert "2 of 3,943" in said[0] and "BloodImage_00338" in said[0] and "BloodImage_00343" in said[0]
    files = sorted((material / "bccd" / "JPEGImages").iterdir())
    test = cells.splits["test"]
    sent = [files[row].read_bytes() for row in test.row_ids[:6]]
    assert cells.preparation.from_raw(sent).tobytes() == cells.preparation.apply(test.inputs[:6]).tobytes()
    sample = cells.card().samples[0]
    assert sample["image"].startswith("data:image/png") and sample["boxes"] and "RBC" in sample["label"]


@pytest.mark.parametrize("fit", FITS)
def test_boxes_lie_on_what_they_were_drawn_around(store, tmp_path, fit):
    boxes = {f"p{number}": [("cell", 20 + number, 16, 50 + number, 40)] for number in range(10)}
    spec = voc(tmp_path / "set", boxes)
    picture(tmp_path / "set" / "JPEGImages" / "p0.png", (20, 16, 50, 40), 90, 60)
    dataset = load(spec.changed(image_size=64, image_fit=fit, validation_fraction=0.1, test_fraction=0.1), store)
    assert dataset.input_shape == (3, 64, 64)
    for split in dataset.splits.values():
        for pixels, found in zip(split.inputs, split.labels, strict=True):
            left, top, right, bottom, number = found[0]
            assert number == 0
            bright = np.argwhere(pixels[0] > 200)
            assert abs(bright.min(axis=0) - (top, left)).max() <= 1.6
            assert abs(bright.max(axis=0) + 1 - (bottom, right)).max() <= 1.6


@pytest.mark.parametrize("fit", FITS)
def test_a_box_comes_back_to_where_it_was(fit):
    placing = Placing(64, 48, fit)
    box = (40.0, 30.0, 60.0, 50.0)
    assert np.allclose(placing.back(placing.place(box, 100, 90), 100, 90), box)


def test_coco_files_with_their_parts(store, tmp_path):
    for part, count in (("train", 8), ("val", 3), ("test", 3)):
        entries = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "dog"}, {"id": 9, "name": "cat"}]}
        for number in range(count):
            picture(tmp_path / "set" / part / f"{part}{number}.png", (5, 5, 25, 30))
            entries["images"].append({"id": number, "file_name": f"{part}{number}.png"})
            category = 7 + 2 * (number % 2)
            entries["annotations"].append({"image_id": number, "category_id": category, "bbox": [5, 5, 20, 25]})
        (tmp_path / "set" / f"instances_{part}2020.json").write_text(json.dumps(entries))
    dataset = load(DataSpec(name=str(tmp_path / "set")), store)
    assert dataset.task == "detection" and dataset.classes == ["cat", "dog"]
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 8, "validation": 3, "test": 3}
    scale = dataset.input_shape[2] / 80
    assert np.allclose(dataset.splits["test"].labels[0][0], [5 * scale, 5 * scale, 25 * scale, 30 * scale, 1])


def test_what_is_odd_is_said(store, tmp_path):
    boxes = {f"p{number}": [("cell", 20, 16, 50, 40)] for number in range(8)}
    boxes |= {"flat": [("cell", 5, 5, 5, 20)], "over": [("cell", 60, 40, 200, 200)], "bare": []}
    spec = voc(tmp_path / "set", boxes)
    picture(tmp_path / "set" / "JPEGImages" / "alone.png", (1, 1, 5, 5))
    dataset = load(spec, store)
    said = {warning["kind"]: warning["message"] for warning in dataset.card().warnings}
    assert "flat.png" in said["empty_boxes"] and "alone" in said["pictures_left_out"]
    assert "1 boxes reach over" in said["boxes_cut"] and "2 pictures have no box" in said["no_boxes"]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("<annotation><object>", r"'p0.xml' is no readable XML"),
        ("<annotation><object><name>x</name></object></annotation>", r"object 1 \('x'\) has no bndbox"),
        ("<annotation>" + OBJECT.format("", 1, 1, 2, 2) + "</annotation>", "object 1 has no name"),
        ("<annotation>" + OBJECT.format("x", 1, 1, "two", 2) + "</annotation>", "object 1, xmax is 'two'"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "declares entities"),
    ],
)
def test_broken_annotations_say_where(store, tmp_path, annotation, words):
    spec = voc(tmp_path / "set", {"p0": [("cell", 20, 16, 50, 40)]})
    (tmp_path / "set" / "Annotations" / "p0.xml").write_text(annotation)
    with pytest.raises(DataError, match=words):
        load(spec, store)


def test_a_picture_that_is_not_there_is_named(store, tmp_path):
    spec = voc(tmp_path / "set", {"p0": [("cell", 20, 16, 50, 40)], "p1": [("cell", 20, 16, 50, 40)]})
    (tmp_path / "set" / "JPEGImages" / "p1.png").unlink()
    with pytest.raises(DataError, match=r"'p1.xml'.*no picture 'p1'"):
        load(spec, store)
