"""JPEG files decoded by libjpeg-turbo itself are the pictures that Pillow gives, to the bit; so are the refusals."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from lepton_lab.data.jpeg import JpegReader
from lepton_lab.data.pictures import MAX_PIXELS, decode_picture
from lepton_lab.errors import DataError

WANTED = [(64, 64, "crop"), (28, 36, "pad"), (48, 80, "squeeze"), (300, 300, "crop")]


def photograph(draw, width, height, **options):
    blocks = draw.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC)
    if options.pop("mode", None):
        picture = picture.convert("L")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def answers(content):
    found = []
    for channels in (1, 3):
        for height, width, fit in WANTED:
            try:
                found.append(decode_picture(content, channels=channels, height=height, width=width, fit=fit))
            except DataError as error:
                found.append(str(error))
    return found


def assert_as_pillow(monkeypatch, content):
    ours = answers(content)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "simplejpeg", None)
        theirs = answers(content)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", None])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_every_kind_of_plain_file_gives_the_pixels_that_pillow_gives(monkeypatch, sampling, mode, progressive):
    draw = np.random.default_rng(0)
    for width, height in [(64, 64), (65, 77), (333, 251), (64, 500), (700, 640)]:
        content = photograph(
            draw, width, height, mode=mode, subsampling=sampling, progressive=progressive, quality=width % 60 + 30
        )
        assert JpegReader().read(content, MAX_PIXELS, lambda width, height: 1) is not None
        assert_as_pillow(monkeypatch, content)


@pytest.mark.parametrize("turned", range(1, 9))
def test_how_the_camera_was_held_is_seen(monkeypatch, turned):
    marks = Image.Exif()
    marks[0x0112] = turned
    assert_as_pillow(monkeypatch, photograph(np.random.default_rng(turned), 200, 120, exif=marks))


def test_damaged_files_are_read_or_refused_as_pillow_does(monkeypatch):
    draw = np.random.default_rng(1)
    for _ in range(60):
        content = bytearray(photograph(draw, 130, 90, quality=int(draw.integers(20, 95))))
        for _ in range(int(draw.integers(1, 4))):
            content[int(draw.integers(2, len(content)))] = int(draw.integers(256))
        if draw.random() < 0.3:
            del content[int(draw.integers(4, len(content))) :]
        assert_as_pillow(monkeypatch, bytes(content))


def test_a_reader_keeps_nothing_of_the_picture_before(monkeypatch):
    draw, reader = np.random.default_rng(2), JpegReader()
    large, small = (photograph(draw, side, side, quality=90) for side in (400, 100))
    first = reader.read(large, MAX_PIXELS, lambda width, height: 1)
    pixels = np.array(first)
    reader.read(small, MAX_PIXELS, lambda width, height: 1)
    assert np.array_equal(np.asarray(first), pixels)


def test_too_large_a_picture_is_refused_before_it_is_decoded():
    content = photograph(np.random.default_rng(3), 128, 128)
    assert JpegReader().read(content, 128 * 128 - 1, lambda width, height: 1) is None
