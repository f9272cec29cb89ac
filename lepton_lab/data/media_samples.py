"""Rows that are seen or heard, as a card shows them: waveforms that play, pictures with their boxes, forecasts."""

from __future__ import annotations

import base64
import io
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data.rows import Windows

if TYPE_CHECKING:
    from PIL.Image import Image

    from lepton_lab.data.dataset import PreparedDataset

_WAVE_WIDTH, _WAVE_HEIGHT = 240, 64
_INK = (59, 130, 196, 255)
_MAX_STEPS = 512
_COLOURS = (
    (230, 75, 60),
    (59, 130, 196),
    (46, 160, 90),
    (240, 170, 40),
    (150, 90, 190),
    (20, 170, 170),
    (200, 80, 140),
)
"""Of the boxes of each class in turn; they differ in lightness too."""


def heard(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any]:
    """A sound: a WAV file that a page can play, and a picture of its waveform."""
    wav = dataset.raw_sample(split, row)
    raw = dataset.splits[split].raw
    clip = np.asarray(raw[row]) if isinstance(raw, np.ndarray) else np.zeros(1, np.int16)
    return {
        "audio": "data:audio/wav;base64," + base64.b64encode(wav).decode("ascii"),
        "image": _png_uri(waveform(clip)),
        "seconds": len(clip) / int(dataset.meta["sound"]["rate"]),
    }


def waveform(clip: np.ndarray) -> np.ndarray:
    """A clip drawn from its lowest to its highest sample in each column, RGBA on nothing (height, width, 4)."""
    drawn = np.zeros((_WAVE_HEIGHT, _WAVE_WIDTH, 4), np.uint8)
    edges = np.linspace(0, len(clip), _WAVE_WIDTH + 1).astype(int)
    loudest = max(1.0, float(np.abs(clip.astype(np.float64)).max(initial=1)))
    for column, (start, stop) in enumerate(pairwise(edges)):
        part = clip[start : max(stop, start + 1)].astype(np.float64) / loudest
        top, bottom = ((1 - value) / 2 * (_WAVE_HEIGHT - 1) for value in (part.max(initial=0), part.min(initial=0)))
        drawn[int(top) : int(bottom) + 1, column] = _INK
    return drawn


def boxed(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any]:
    """A picture with its boxes drawn on it, and the boxes as numbers with the names of their classes."""
    from PIL import Image

    boxes = np.asarray(dataset.splits[split].labels[row])
    picture = Image.open(io.BytesIO(dataset.sample_png(split, row))).convert("RGB")
    listed = []
    for left, top, right, bottom, number in boxes.tolist():
        frame(picture, (left, top, right, bottom), int(number))
        listed.append({"label": dataset.classes[int(number)], "box": [left, top, right, bottom]})
    counted = Counter(box["label"] for box in listed)
    words = ", ".join(f"{count} {label}" for label, count in counted.most_common()) or "no box"
    return {"image": _png_uri(np.asarray(picture)), "boxes": listed, "label": words}


def frame(picture: Image, box: tuple[float, float, float, float], number: int, name: str = "") -> None:
    """Draws a box, and its name within it, on a picture.

    Args:
        picture: RGB; it is changed.
        box: Left, top, right and bottom, in pixels.
        number: Of its class, which decides the colour.
        name: Empty for none.
    """
    from PIL import ImageDraw

    draw, colour = ImageDraw.Draw(picture), _COLOURS[number % len(_COLOURS)]
    draw.rectangle(box, outline=colour, width=2)
    if name:
        at = (box[0] + 4, box[1] + 2)
        _, _, right, bottom = draw.textbbox(at, name)
        draw.rectangle((box[0], box[1], right + 3, bottom + 2), fill=colour)
        draw.text(at, name, fill="white")


def forecast(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any]:
    """A window on a series, in the source's units, and what came after it."""
    part = dataset.splits[split]
    seen, ahead = np.asarray(part.inputs[row], np.float64), np.asarray(part.labels[row], np.float64)
    names = dataset.classes
    last = ", ".join(f"{name} {value:g}" for name, value in zip(names[:3], ahead[-1][:3], strict=False))
    return {
        "series": seen[-_MAX_STEPS:].round(6).tolist(),
        "ahead": ahead[:_MAX_STEPS].round(6).tolist(),
        "label": f"{len(ahead)} steps on: {last}{' ...' if len(names) > 3 else ''}",
    }


def media_sample(dataset: PreparedDataset, split: str, row: int) -> dict[str, Any] | None:
    """What is shown of a row that is heard, boxed or forecast; None for other rows."""
    if dataset.modality == "audio":
        return heard(dataset, split, row)
    if dataset.task == "detection":
        return boxed(dataset, split, row)
    if dataset.task == "forecasting" and isinstance(dataset.splits[split].labels, Windows):
        return forecast(dataset, split, row)
    return None


def _png_uri(pixels: np.ndarray) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
