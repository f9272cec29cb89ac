"""The gallery and the course run from top to bottom, unattended: quick ones here, all of them by `make gallery`."""

from __future__ import annotations

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


@pytest.mark.parametrize(("folder", "told"), [("", "is not there. To get it: "), ("zh", "没有找到")])
def test_a_set_that_is_not_there_is_told_with_where_to_get_it(folder, told, tmp_path, monkeypatch):
    places = places_of(folder)
    monkeypatch.setenv("LEPTON_GALLERY_DATA", str(tmp_path))
    assert set(places.SOURCES) == set(places_of("").SOURCES)
    for name in places.SOURCES:
        with pytest.raises(FileNotFoundError, match=r"https://github\.com/") as caught:
            places.place(name)
        assert told in str(caught.value) and str(tmp_path / name) in str(caught.value)
        (tmp_path / name).mkdir()
        assert places.place(name) == (tmp_path / name).resolve()


def test_both_languages_look_for_the_data_in_one_folder(monkeypatch):
    monkeypatch.delenv("LEPTON_GALLERY_DATA", raising=False)
    for folder in ("", "zh"):
        with pytest.raises(FileNotFoundError) as caught:
            places_of(folder).place("bccd", "no such file")
        assert str(gallery.NOTEBOOKS / "gallery" / "data" / "bccd") in str(caught.value)


def places_of(folder: str) -> ModuleType:
    """`places`, as a notebook of the gallery imports it from the folder that it lies in."""
    spec = spec_from_file_location(f"places_{folder}", gallery.NOTEBOOKS / "gallery" / folder / "places.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
