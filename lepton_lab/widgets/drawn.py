"""Answers as pictures, PNG: what was found on a picture, and a forecast as lines."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from lepton_lab.data.media_samples import frame
from lepton_lab.session import Prediction

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167))
_GREY = (128, 136, 150)
_WIDTH, _HEIGHT, _LEFT = 380, 130, 52
_SMALLEST_PIXELS = 240
"""A picture with boxes is made at least as wide, so that their names can be read."""


def picture_of(prediction: Prediction) -> bytes | None:
    """The picture of an answer: with the boxes that were found on it, or the steps ahead; None where there is none."""
    boxes, forecast = prediction.details.get("boxes"), prediction.details.get("forecast")
    if boxes and prediction.picture:
        return _boxed(prediction.picture, boxes)
    return _lines(forecast) if forecast else prediction.picture


def _boxed(png: bytes, boxes: list[dict[str, Any]]) -> bytes:
    """A picture with a frame and a name for each box; edges are shares of its sides."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    factor = -(-_SMALLEST_PIXELS // picture.width)
    picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    names = sorted({str(box["label"]) for box in boxes})
    across, down = picture.width - 1, picture.height - 1
    for box in boxes:
        place = (box["left"] * across, box["top"] * down, box["right"] * across, box["bottom"] * down)
        frame(picture, place, names.index(str(box["label"])), str(box["label"]))
    return _png(picture)


def _lines(forecast: list[Any]) -> bytes:
    """The steps ahead, a line for each of the first series, between the least and the greatest value."""
    from PIL import Image, ImageDraw

    steps = [step if isinstance(step, list) else [step] for step in forecast]
    shown = range(min(len(steps[0]), len(_COLOURS)))
    values = [step[which] for step in steps for which in shown]
    low, high = min(values), max(values)
    picture = Image.new("RGBA", (_WIDTH, _HEIGHT), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)

    def place(index: int, value: float) -> tuple[float, float]:
        along = index / max(1, len(steps) - 1)
        return _LEFT + (_WIDTH - _LEFT - 8) * along, 12 + (_HEIGHT - 36) * (1 - (value - low) / ((high - low) or 1.0))

    for value in (low, high):
        y = place(0, value)[1]
        draw.line((_LEFT, y, _WIDTH - 8, y), fill=(*_GREY, 110))
        draw.text((_LEFT - 6, y), f"{value:.4g}", fill=_GREY, anchor="rm")
    draw.text((_LEFT, _HEIGHT - 4), "+1", fill=_GREY, anchor="ls")
    draw.text((_WIDTH - 8, _HEIGHT - 4), f"+{len(steps)}", fill=_GREY, anchor="rs")
    for which in shown:
        points = [place(index, step[which]) for index, step in enumerate(steps)]
        draw.line(points if len(points) > 1 else points * 2, fill=_COLOURS[which], width=2, joint="curve")
    return _png(picture)


def _png(picture: Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
