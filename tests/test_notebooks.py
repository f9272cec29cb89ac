"""The notebooks that are shipped run from top to bottom, and hold no outputs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SHIPPED = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def data_of(cell) -> dict:
    return {mime: value for output in cell.outputs for mime, value in output.get("data", {}).items()}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


TOLD = [path for path in SHIPPED if path.parent.name != "dashboards"]


@pytest.mark.parametrize("path", TOLD, ids=lambda path: path.stem)
def test_a_notebook_says_how_long_it_takes_and_on_what(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    assert re.search(r"Takes .* on two CPU cores|在两个 CPU 核心上约需", first)


def test_the_quickstart_runs_top_to_bottom(ended_after):
    ended_after(Path(os.environ["LEPTON_HOME"]))
    notebook = nbformat.read(NOTEBOOKS / "quickstart.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    by_id = {cell.id: cell for cell in notebook.cells}
    assert "Handwritten digits" in data_of(by_id["data"])["text/html"]
    trained = data_of(by_id["train"])
    assert trained["application/vnd.lepton.run+json"]["summary"]["state"] == "finished"
    assert "<path" in trained["image/svg+xml"] and "digits-cnn-" in trained["image/svg+xml"]
    report = data_of(by_id["evaluate"])
    assert "application/vnd.plotly.v1+json" in report
    assert float(report_accuracy(by_id["evaluate"])) >= 0.98
    assert "lpt_" in data_of(by_id["deploy"])["text/html"]
    assert "test row 0" in data_of(by_id["predict"])["text/html"]


def report_accuracy(cell) -> str:
    text = next(output.data["text/plain"] for output in cell.outputs if "test accuracy" in output.data["text/plain"])
    return text.split("test accuracy ")[1].split(",")[0]


FOLDERS = ("course", "gallery")
CHINESE = [NOTEBOOKS / "quickstart.zh-CN.ipynb"]
CHINESE += [path for folder in FOLDERS for path in sorted((NOTEBOOKS / folder / "zh").glob("*.ipynb"))]


def twin_of(path: Path) -> Path:
    """The English notebook of a Chinese one."""
    return NOTEBOOKS / "quickstart.ipynb" if path.parent == NOTEBOOKS else path.parents[1] / path.name


def test_the_whole_course_and_gallery_are_there_in_chinese():
    for folder in FOLDERS:
        english, chinese = (
            [path.name for path in sorted((NOTEBOOKS / folder / under).glob("*.ipynb"))] for under in ("", "zh")
        )
        assert english and chinese == english


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.stem)
def test_a_chinese_notebook_has_the_cells_of_the_english_one(path):
    chinese, english = (nbformat.read(each, as_version=4).cells for each in (path, twin_of(path)))
    assert [(cell.cell_type, cell.id) for cell in chinese] == [(cell.cell_type, cell.id) for cell in english]
    for said, cell in zip(chinese, english, strict=True):
        if cell.cell_type == "code":
            assert said.source == cell.source
        else:
            assert any("\u4e00" <= sign <= "\u9fff" for sign in said.source), said.source
            assert set(re.findall(r"`[^`]+`", cell.source)) <= set(re.findall(r"`[^`]+`", said.source))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(NOTEBOOKS)))
def test_the_links_of_a_notebook_lead_somewhere(path):
    cells = nbformat.read(path, as_version=4).cells
    said = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", said):
        assert (path.parent / link).is_file(), link
