"""Pictures of pages compared with kept ones: by layout and colour, so that the grain of letters decides nothing.

A picture is reduced to one colour for each square of 8 by 8 pixels. Of two pictures such a cell differs when its colour
is far from that of the other picture's cell and of all eight around it, so that a pixel's shift, other hinting or
antialiasing, or a newer Chromium leave nearly every cell alike; a button that is missing, a column that has folded or
a wrong colour do not (test_pictures tries both). What is kept is the reduced picture: some 12 kB for a page. Every
letter is drawn in the one font that the tests ask of a machine.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

from tests.browser.chromium import ARTIFACTS

KEPT = Path(__file__).parent / "kept_pictures"
CELL_PIXELS = 8
FAR = 16.0
"""So far apart (of 255, in the channel where it is most) are two cells that differ."""
WINDOW = (4, 10)
MOST_CELLS = 4
"""So many cells may differ in any window of 4 by 10 (32 by 80 pixels), the size of a small button. Without its smallest
button a page differed in 6 to 11; with other hinting and antialiasing in none; with letters further apart by 0.03
pixels in up to 10, which lie apart."""
RENEW = "LEPTON_RENEW_PICTURES"
FONT = "Noto Sans CJK SC"
ONE_FONT = f"* {{ font-family: '{FONT}' !important; caret-color: transparent !important; }}"
SAMPLE, SAMPLE_PIXELS = "Sphinx of black quartz, judge my vow 0123456789 训练验证准确率", 484.6
"""A text and its width at 16 pixels in that font."""
MEASURE = """([font, text]) => {
  const context = document.createElement('canvas').getContext('2d');
  context.font = `16px '${font}'`;
  return context.measureText(text).width;
}"""


DRESS = """style => {
  const sheet = new CSSStyleSheet();  // a page's policy may refuse a style element
  sheet.replaceSync(style);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""


def take(page: Page) -> bytes:
    """A picture of the whole page as it is compared; where the font is missing, the test is skipped."""
    width = page.evaluate(MEASURE, [FONT, SAMPLE])
    if abs(width - SAMPLE_PIXELS) > 1:
        pytest.skip(f"Pictures are compared in the font {FONT}, which is not here; on Debian: fonts-noto-cjk")
    page.evaluate(DRESS, ONE_FONT)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.screenshot(full_page=True)


def cells(png: bytes) -> NDArray[np.float32]:
    """A picture's mean colours, shape (rows, columns, 3), 0 to 255."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    columns, rows = -(-picture.width // CELL_PIXELS), -(-picture.height // CELL_PIXELS)
    whole = Image.new("RGB", (columns * CELL_PIXELS, rows * CELL_PIXELS), picture.getpixel((0, 0)))
    whole.paste(picture)
    return np.asarray(whole.reduce(CELL_PIXELS), np.float32)


def differing(kept: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which cells of two reduced pictures differ, shape (rows, columns); where only one of them reaches, all do."""
    rows, columns = np.maximum(kept.shape[:2], seen.shape[:2])
    both_rows, both_columns = np.minimum(kept.shape[:2], seen.shape[:2])
    differ = np.ones((rows, columns), bool)
    one, other = kept[:both_rows, :both_columns], seen[:both_rows, :both_columns]
    differ[:both_rows, :both_columns] = np.maximum(_distance(one, other), _distance(other, one)) > FAR
    return differ


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each cell is from the nearest in colour of the nine cells of the other picture around it."""
    around = np.pad(other, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows, columns = one.shape[:2]
    shifted = [around[down : down + rows, right : right + columns] for down in range(3) for right in range(3)]
    return np.min([np.abs(one - each).max(axis=2) for each in shifted], axis=0)


def compare(png: bytes, name: str) -> str:
    """What is wrong with a picture, as a sentence; empty: it is like the kept one, or was kept just now.

    Where it differs, a picture of both, with a frame around what differs, lies under tests/artifacts.
    """
    path = KEPT / f"{name}.png"
    seen = cells(png)
    if os.environ.get(RENEW):
        KEPT.mkdir(exist_ok=True)
        Image.fromarray(seen.round().astype(np.uint8)).save(path, optimize=True)
        return ""
    if not path.exists():
        return f"{name}: no picture is kept of it; look at the page and run `make pictures`"
    kept = np.asarray(Image.open(path).convert("RGB"), np.float32)
    differ = differing(kept, seen)
    if not is_worse(differ):
        return ""
    shown = _show(kept, png, differ, name)
    return f"{name}: {differ.sum()} squares of {CELL_PIXELS} pixels differ from the kept picture ({shown})"


def is_worse(differ: NDArray[np.bool_]) -> bool:
    """Whether so many cells differ in one place that a person would see it."""
    together = np.lib.stride_tricks.sliding_window_view(np.pad(differ, 2), WINDOW).sum(axis=(2, 3))
    return bool(together.max() > MOST_CELLS)


def _show(kept: NDArray[np.float32], png: bytes, differ: NDArray[np.bool_], name: str) -> Path:
    """Puts what was kept beside what was seen, with the squares that differ in red."""
    seen = Image.open(io.BytesIO(png)).convert("RGB")
    mask = Image.fromarray(differ).resize((differ.shape[1] * CELL_PIXELS, differ.shape[0] * CELL_PIXELS))
    both = Image.new("RGB", (mask.width * 2 + CELL_PIXELS, mask.height), "white")
    grown = Image.fromarray(kept.astype(np.uint8))
    both.paste(grown.resize((grown.width * CELL_PIXELS, grown.height * CELL_PIXELS), Image.Resampling.NEAREST))
    both.paste(seen, (mask.width + CELL_PIXELS, 0))
    red = Image.new("RGB", mask.size, (230, 0, 40))
    both.paste(red, (mask.width + CELL_PIXELS, 0), mask.convert("L").point(lambda value: value and 110))
    ARTIFACTS.mkdir(exist_ok=True)
    path = ARTIFACTS / f"differs-{name}.png"
    both.save(path)
    return path
