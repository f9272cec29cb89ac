"""Writes js/tests/fixtures/schemas.json: the schemas and choices that the studio gets, for the tests of js/.

`python -m tests.tools.studio_schemas` writes it anew; tests/widgets/test_studio.py fails when it is old.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lepton_lab.widgets import studio_values

PATH = Path(__file__).parents[2] / "js/tests/fixtures/schemas.json"
DATASETS = ("digits", "fashion-mnist")
"""Two of the known datasets, one that comes with the package and one that is downloaded, are enough for the tests."""


def content() -> dict[str, Any]:
    """What the file holds."""
    choices = studio_values.choices(public=False)
    choices["datasets"] = [each for each in choices["datasets"] if each["name"] in DATASETS]
    return {"schemas": studio_values.schemas(public=False), "choices": choices}


def text() -> str:
    """The file's text."""
    return json.dumps(content(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
