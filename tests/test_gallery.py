"""The gallery and the course run from top to bottom, unattended: quick ones here, all of them by `make gallery`."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from tests.tools import gallery

FIELDS = {
    "image-recognition": "Fashion-MNIST",
    "object-detection": "mAP",
    "text-sentiment": "sentences",
    "intent-of-a-request": "intents",
    "speech-digits": "recordings",
    "recommendation": "ratings",
    "energy-forecast": "ETTh1",
    "income-risk": "census",
    "blood-cells": "blood",
    "your-own-network": "torch.nn.Module",
}
NEEDS_DATA = pytest.mark.skipif(not gallery.REAL.is_dir(), reason="no folder of real sets (LEPTON_TEST_DATA)")
ALL = [*gallery.shipped("course"), *gallery.shipped("gallery")]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    return gallery.build_mirror(gallery.REAL, tmp_path_factory.mktemp("mirror"))


def test_there_is_a_notebook_for_each_field_and_a_numbered_course():
    assert {path.stem for path in gallery.shipped("gallery")} == set(FIELDS)
    assert [path.name[:2] for path in gallery.shipped("course")] == [f"0{number}" for number in range(1, 8)]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_says_how_long_it_takes_and_what_comes_of_it(path):
    notebook = nbformat.read(path, as_version=4)
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "*Takes " in notebook.cells[0].source
    if path.stem in FIELDS:
        assert FIELDS[path.stem] in words and "**What came of it.**" in words
        last = notebook.cells[-1].source
        assert last.startswith("%lepton stop ") and last.endswith("--endpoint"), "an endpoint is left behind"


def test_a_set_that_is_not_there_is_told_with_where_to_get_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(gallery.NOTEBOOKS / "gallery"))
    monkeypatch.setenv("LEPTON_GALLERY_DATA", str(tmp_path))
    import places

    for name in places.SOURCES:
        with pytest.raises(FileNotFoundError, match=r"is not there\. To get it: .*https://github\.com/"):
            places.place(name)


def test_the_network_of_ones_own_runs_top_to_bottom(ended_after):
    ended_after(Path(os.environ["LEPTON_HOME"]))
    notebook = gallery.run(gallery.NOTEBOOKS / "gallery" / "your-own-network.ipynb", 2, 120)
    assert "test accuracy" in gallery.said(notebook, "evaluate")


@pytest.mark.slow
@NEEDS_DATA
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_notebook_runs_top_to_bottom(path, mirror, ended_after, monkeypatch):
    ended_after(Path(os.environ["LEPTON_HOME"]))
    monkeypatch.setenv("LEPTON_DATA_MIRROR", str(mirror))
    monkeypatch.setenv("LEPTON_GALLERY_DATA", str(gallery.REAL))
    notebook = gallery.run(path, 1, 600)
    assert not [out for cell in notebook.cells for out in cell.get("outputs", []) if out.output_type == "error"]
