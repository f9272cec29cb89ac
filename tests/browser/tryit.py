"""An endpoint's own page with answers that are the same each time, for each kind of input that it takes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Route

from lepton_lab.serving.page import Page as TryItPage

ADDRESS = "http://127.0.0.1:8700/"
NAMES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
SHARES = [0.0004, 0.0001, 0.0007, 0.0012, 0.0016, 0.03, 0.0008, 0.93, 0.006, 0.0292]


def info(modality: str, task: str = "classification", **more: Any) -> dict[str, Any]:
    """What `/info` says."""
    made = {"run_id": "fashion-cnn-7", "dataset": "fashion-mnist", "model": "cnn", "classes": NAMES}
    limits = {"max_body_bytes": 16_777_216, "max_rows": 1024}
    example = {"row": None, "picture": modality == "image", "sound": modality == "audio"}
    known = {"metrics": {"test_accuracy": 0.9288}, "columns": [], "choices": {}, "example": example, "limits": limits}
    return {"name": "fashion", "version": 3, "modality": modality, "task": task, **made, **known, **more}


def picture(width: int, height: int, of: Callable[[int, int], int]) -> bytes:
    """A grey picture as PNG; `of(x, y)` is its brightness."""
    drawn = Image.new("L", (width, height))
    drawn.putdata([of(at % width, at // width) for at in range(width * height)])
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def ring(x: int, y: int) -> int:
    """A ring on 28 by 28."""
    return max(0, 255 - round(90 * abs(math.hypot(x - 13.5, y - 13.5) - 8)))


def cells(x: int, y: int) -> int:
    """Three blots on 320 by 240."""
    return 90 if min(math.hypot(x - at, y - down) for at, down in ((70, 80), (210, 60), (180, 180))) < 40 else 225


MAP = {"test_map50": 0.9015}
PLACES = [("RBC", 0.97, 0.09, 0.17), ("RBC", 0.94, 0.53, 0.08), ("WBC", 0.81, 0.44, 0.58)]
BOXES = [
    {"label": label, "confidence": confidence, "left": left, "top": top, "right": left + 0.25, "bottom": top + 0.33}
    for label, confidence, left, top in (
        ("RBC", 0.97, 0.09, 0.17),
        ("RBC", 0.94, 0.53, 0.08),
        ("WBC", 0.81, 0.44, 0.58),
    )
]
GRID = [[round(math.sin(x / 1.5) * math.cos(y / 2), 3) for x in range(7)] for y in range(7)]
WORDS = [("splendid", 0.31), ("slow", -0.12), ("a", 0.01), ("but", -0.02), ("film", 0.04)]
COLUMNS = {"age": 39, "education": "Bachelors", "hours_per_week": 40, "capital_gain": 2174.5, "country": "Austria"}

TOLD: dict[str, tuple[dict[str, Any], dict[str, Any], bytes]] = {
    "picture": (
        info("image"),
        {
            "label": "Sneaker",
            "confidence": 0.93,
            "scores": dict(zip(NAMES, SHARES, strict=True)),
            "explanation": {"of": "Sneaker", "grid": GRID},
        },
        picture(28, 28, ring),
    ),
    "boxes": (
        info("image", "detection", dataset="bccd", model="detector", classes=["Platelets", "RBC", "WBC"], metrics=MAP),
        {"label": "2 RBC, 1 WBC", "boxes": BOXES},
        picture(320, 240, cells),
    ),
    "sentence": (
        info("text", dataset="sentence-polarity", model="rnn", classes=["negative", "positive"]),
        {
            "label": "positive",
            "confidence": 0.84,
            "scores": {"positive": 0.84, "negative": 0.16},
            "explanation": {"of": "positive", "parts": [{"part": part, "change": change} for part, change in WORDS]},
        },
        b"",
    ),
    "sound": (
        info("audio", dataset="free-spoken-digit", classes=list("0123456789")),
        {"label": "7", "confidence": 0.93, "scores": dict(zip("0123456789", SHARES, strict=True))},
        b"",
    ),
    "row": (
        info(
            "table",
            dataset="adult",
            model="mlp",
            classes=["<=50K", ">50K"],
            columns=list(COLUMNS),
            choices={"education": ["Bachelors", "Masters"], "country": ["Austria", "Peru"]},
            example={"row": COLUMNS, "picture": False, "sound": False},
        ),
        {"label": "<=50K", "confidence": 0.71, "scores": {"<=50K": 0.71, ">50K": 0.29}},
        b"",
    ),
    "number": (
        info(
            "table",
            "regression",
            dataset="wine-quality",
            model="mlp",
            classes=[],
            metrics={"test_mae": 0.444},
            columns=["alcohol"],
        ),
        {"label": "6.12", "value": 6.12},
        b"",
    ),
    "forecast": (
        info("sequence", "forecasting", dataset="etth1", model="linear", classes=[], metrics={"test_mse": 0.3739}),
        {"label": "24 steps ahead", "forecast": [[round(9 + 4 * math.sin(step / 4), 3)] for step in range(24)]},
        b"",
    ),
}
"""For each kind of input what `/info` and `/predict` say, and the picture that is asked about."""


def serve(page: Page) -> Callable[[str], None]:
    """Stands in for an endpoint; the function that it returns says which kind of input it takes from now on."""
    html, now = TryItPage(), {"kind": "picture"}

    def answer(route: Route) -> None:
        told, prediction, _ = TOLD[now["kind"]]
        path = route.request.url.removeprefix(ADDRESS).partition("?")[0]
        if path == "":
            route.fulfill(body=html.html, headers={**html.headers, "Content-Type": "text/html; charset=utf-8"})
        elif route.request.headers.get("x-api-key") != "lpt_right":
            route.fulfill(status=401, body=json.dumps({"error": "no"}))
        else:
            said = {"predictions": [prediction], "milliseconds": 2.8, "version": told["version"]}
            route.fulfill(json=said if path == "predict" else told)

    page.route(f"{ADDRESS}**", answer)
    return lambda kind: now.update(kind=kind)


def ask(page: Page, kind: str) -> None:
    """Opens the page, gives the key where it asks for one, asks once."""
    page.goto(ADDRESS)
    if page.locator("#door").is_visible():
        page.fill("#key", "lpt_right")
        page.press("#key", "Enter")
    page.wait_for_selector("#desk:not([hidden])")
    if TOLD[kind][2]:
        page.set_input_files("#file", {"name": "one.png", "mimeType": "image/png", "buffer": TOLD[kind][2]})
    elif kind == "sentence":
        page.fill("#words", "a splendid but slow film")
        page.click("#go")
    elif kind == "forecast":
        page.fill("#values", json.dumps([[round(9 + 4 * math.sin(step / 4), 3)] for step in range(-24, 0)]))
        page.click("#go")
    elif kind == "sound":
        page.set_input_files("#sound-file", {"name": "one.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
    else:
        page.click("#go")
    page.wait_for_selector("#answer:not([hidden])")
