"""Boxes around objects: read from Pascal-VOC and COCO files, with what is wrong about them said.

A box is (left, top, right, bottom) in pixels of its picture, counted from 0 at the left and upper edge.
"""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton_lab.errors import DataError

MAX_XML_BYTES = 16 * 2**20
MAX_JSON_BYTES = 2**30


@dataclass(frozen=True)
class Box:
    """An object: its class and where it is."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass
class Annotated:
    """A picture with the boxes that somebody drew on it.

    Attributes:
        picture: The file.
        boxes: Its boxes.
        part: "train", "validation" or "test" where the source says so.
    """

    picture: Path
    boxes: list[Box] = field(default_factory=list)
    part: str | None = None


def read_voc(path: Path) -> tuple[str | None, list[Box]]:
    """A Pascal-VOC annotation: the picture's file name, where it says one, and its boxes.

    Raises:
        DataError: Names the file and what is wrong with it.
    """
    where = f"{path.name!r}"
    content = _content(path, MAX_XML_BYTES)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError(f"{where} declares entities, which are not read; expected a plain annotation.")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{where} is no readable XML ({error}).") from None
    boxes = []
    for number, thing in enumerate(root.iter("object"), start=1):
        label = (thing.findtext("name") or "").strip()
        if not label:
            raise DataError(f"{where}: object {number} has no name.")
        found = thing.find("bndbox")
        if found is None:
            raise DataError(f"{where}: object {number} ({label!r}) has no bndbox.")
        edges = [_number(found.findtext(edge), f"{where}: object {number}, {edge}") for edge in _EDGES]
        boxes.append(Box(label, *edges))
    return (root.findtext("filename") or "").strip() or None, boxes


_EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_coco(path: Path, find_picture: Any) -> list[Annotated]:
    """A COCO file of boxes (`images`, `annotations` with `bbox` of left, top, width, height, `categories`).

    Args:
        path: The JSON file.
        find_picture: Gives the path of a `file_name`, or None.

    Raises:
        DataError: Names the file and the entry that is wrong.
    """
    where = f"{path.name!r}"
    try:
        content = json.loads(_content(path, MAX_JSON_BYTES))
        labels = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        names = {entry["id"]: str(entry["file_name"]) for entry in content["images"]}
        annotations = list(content["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{where} is no COCO file of boxes ({type(error).__name__}: {error}).") from None
    pictures: dict[Any, Annotated] = {}
    for key, name in names.items():
        found = find_picture(name)
        if found is None:
            raise DataError(f"{where} names the picture {name!r}, which is not there.")
        pictures[key] = Annotated(found)
    for number, entry in enumerate(annotations, start=1):
        here = f"{where}, annotation {number}"
        try:
            picture, label, box = pictures[entry["image_id"]], labels[entry["category_id"]], list(entry["bbox"])
        except (KeyError, TypeError) as error:
            raise DataError(f"{here}: its picture, category or bbox is missing or unknown ({error}).") from None
        if len(box) != 4:
            raise DataError(f"{here}: bbox has {len(box)} numbers; expected left, top, width and height.")
        left, top, width, height = (_number(value, f"{here}, bbox") for value in box)
        picture.boxes.append(Box(label, left, top, left + width, top + height))
    return list(pictures.values())


def _content(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise DataError(f"{path.name!r} has more than {most:,} bytes; that is no file of boxes.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or abs(number) > 1e6:
        raise DataError(f"{where} is {str(value)[:40]!r}; expected a number of pixels.")
    return number
