"""What a detector found is drawn on the picture, and a forecast as a line."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from lepton_lab.session import Prediction
from lepton_lab.widgets.drawn import picture_of


def answer(picture: bytes | None = None, **details: object) -> Prediction:
    return replace(Prediction.of({"label": "", **details}, "cells", 1.0), picture=picture)


def pixels(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), int)


def black(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_boxes_stand_where_they_were_found_in_the_colours_of_their_classes():
    def box(label: str, left: float, right: float) -> dict[str, object]:
        return {"label": label, "confidence": 0.9, "left": left, "right": right, "top": 0.5, "bottom": 0.9}

    drawn = pixels(
        picture_of(answer(black(80, 60), boxes=[box("a", 0.1, 0.4), box("b", 0.6, 0.9), box("a", 0.6, 0.9)]))
    )
    height, width = drawn.shape[:2]
    assert width >= 240 and height * 80 == width * 60, "large enough for names"
    assert not drawn[: height // 2 - 2, :, :3].any(), "nothing where nothing was found"
    bottom = round(0.9 * (height - 1))
    left, right = (drawn[bottom, round(share * (width - 1)), :3] for share in (0.25, 0.75))
    assert left.any() and (left == right).all(), "two boxes of one class"
    assert (drawn[bottom, : round(0.1 * (width - 1)) - 3, :3] == 0).all()


def test_a_forecast_is_a_line_from_its_first_step_to_its_last():
    rising = pixels(picture_of(answer(forecast=[[float(step)] for step in range(24)])))
    falling = pixels(picture_of(answer(forecast=[float(-step) for step in range(24)])))

    def height_of_line(drawn: np.ndarray, column: int) -> float:
        is_line = drawn[:, column, 3] == 255
        return float(np.flatnonzero(is_line).mean())

    first, last = 90, rising.shape[1] - 30
    assert height_of_line(rising, first) > height_of_line(rising, last) + 20
    assert height_of_line(falling, first) < height_of_line(falling, last) - 20


def test_other_answers_keep_the_picture_that_was_asked_about():
    picture = black(8, 8)
    assert picture_of(answer(picture)) == picture and picture_of(answer()) is None
