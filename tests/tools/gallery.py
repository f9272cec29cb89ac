"""Runs the notebooks of the gallery and the course on real data that lies in a folder, without internet.

`python -m tests.tools.gallery NOTEBOOK...` runs whole notebooks and prints what each took and found.
"""

from __future__ import annotations

import csv
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

from tests.processes import end_processes_of

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
REAL = Path(os.environ.get("LEPTON_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHOWN = ("train", "evaluate", "ask", "predict", "compress", "scores", "other", "recall")
# The official archive cannot be made again byte for byte; its recordings are read as the set's entry reads them.
DIGITS = "%lepton data free-spoken-digit"
RECORDINGS = DIGITS.replace("free-spoken-digit", "{} --pattern {{label}}_{{speaker}}_{{index}} --test-where 'index<5'")


def shipped(folder: str) -> list[Path]:
    """The notebooks of a folder, in order."""
    return sorted((NOTEBOOKS / folder).glob("*.ipynb"))


def build_mirror(real: Path, folder: Path) -> Path:
    """A data mirror, laid out as the official sources name their files, from the folder of real sets."""
    for name in ("fashion-mnist", "clinc150"):
        (folder / name).symlink_to(real / name)
    (folder / "etth1").symlink_to(real / "ett")
    _write_adult(real / "adult", folder / "adult")
    return folder


def _write_adult(source: Path, folder: Path) -> None:
    """Adult byte for byte as UCI has it: no names, a dot behind the test part's labels, an empty line at the end."""
    folder.mkdir()
    for part, name, end in (("train", "adult.data", ""), ("test", "adult.test", ".")):
        with (source / f"{part}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        lines = [", ".join(cell or "?" for cell in row) + end for row in rows]
        head = "|1x3 Cross validator\n" if part == "test" else ""
        (folder / name).write_text(head + "\n".join(lines) + "\n\n", encoding="utf-8")


def run(path: Path, epochs: int | None = None, timeout_seconds: int = 3600) -> nbformat.NotebookNode:
    """Runs a notebook from top to bottom; `epochs` takes the place of what it says itself.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(DIGITS, RECORDINGS.format(REAL / "free-spoken-digit" / "recordings"))
        if epochs is not None and cell.cell_type == "code":
            cell.source = re.sub(r"(--epochs |epochs=)\d+", rf"\g<1>{epochs}", cell.source)
    folder = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=timeout_seconds, resources=folder).execute()
    return notebook


def said(notebook: nbformat.NotebookNode, cell: str) -> str:
    """What a cell says as plain text."""
    found = next(each for each in notebook.cells if each.id == cell)
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in found.outputs]
    return "\n".join(texts)


def main(names: list[str]) -> None:
    """Runs notebooks with their own parameters, in a store of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["LEPTON_HOME"] = f"{scratch}/store"
        mirror = Path(scratch) / "mirror"
        mirror.mkdir()
        os.environ.setdefault("LEPTON_DATA_MIRROR", str(build_mirror(REAL, mirror)))
        os.environ.setdefault("LEPTON_GALLERY_DATA", str(REAL))
        try:
            for name in names:
                began = time.monotonic()
                try:
                    notebook = run(Path(name))
                except nbclient.exceptions.CellExecutionError as error:
                    print(f"== {name}: failed\n{error}", flush=True)
                    continue
                print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
                for cell in notebook.cells:
                    if cell.cell_type == "code" and cell.id in SHOWN:
                        print(f"-- {cell.id}\n{said(notebook, cell.id)[:1500]}", flush=True)
        finally:
            end_processes_of(Path(scratch) / "store")


if __name__ == "__main__":
    main(sys.argv[1:] or [str(path) for folder in ("course", "gallery") for path in shipped(folder)])
