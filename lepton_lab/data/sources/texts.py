"""Texts in files: a folder per class of documents, a file per class of lines, and one long text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lepton_lab.data import fingerprint
from lepton_lab.data.labels import check_class_count
from lepton_lab.data.material import Material, Progress, Remark
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.storage import HasRoot
from lepton_lab.data.table_text import decode_text
from lepton_lab.data.tabular import part_name
from lepton_lab.data.text_material import TextMaterial, language_material
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


@dataclass(frozen=True)
class _Document:
    path: Path
    label: str
    part: str


class TextFolder(Source):
    """Documents whose class is their folder's name, or lines whose class is their file's name."""

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._root = path

    @property
    def name(self) -> str:
        return path_name(self._root)

    def identity(self, store: HasRoot) -> str:
        return "texts/" + fingerprint.of_files(store, self._root, [found.path for found in self._documents()])

    def _documents(self) -> list[_Document]:
        return list(_documents(self._root))

    def read(self, store: HasRoot, progress: Progress) -> Material:
        found = self._documents()
        by_line = all(document.path.parent == self._root for document in found)
        texts: list[str] = []
        labels: list[str] = []
        parts: list[str] = []
        remarks: list[Remark] = []
        for number, document in enumerate(found):
            if number % 200 == 0:
                progress("Reading texts", number / len(found))
            content = read_text_file(document.path, remarks)
            rows = [line.strip() for line in content.splitlines() if line.strip()] if by_line else [content.strip()]
            texts += rows
            labels += [document.label] * len(rows)
            parts += [document.part] * len(rows)
        classes = sorted(set(labels))
        check_class_count(len(classes), len(labels), f"The folder {str(self._root)!r}")
        place = {label: number for number, label in enumerate(classes)}
        held = np.array(parts)
        named = [part for part in ("train", "validation", "test") if (held == part).any()]
        what = "a line's class is its file's name" if by_line else "a text's class is its folder's name"
        return TextMaterial(
            classes,
            np.array([place[label] for label in labels], np.int64),
            np.arange(len(texts)),
            official={part: np.flatnonzero(held == part) for part in named},
            remarks=remarks[:3],
            texts=texts,
            details={"task_reason": what},
        )


def read_text_file(path: Path, remarks: list[Remark] | None = None) -> str:
    """A file's text, its encoding found out.

    Raises:
        DataError: Names the file when it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    return decode_text(raw, path, remarks)


def is_text_folder(root: Path) -> bool:
    """Whether a folder holds classes of texts: class folders of .txt files, or several .txt files of its own."""
    return next(_documents(root), None) is not None and len({document.label for document in _documents(root)}) > 1


def _documents(root: Path) -> Iterator[_Document]:
    """The documents of all classes, in a stable order."""
    tops = _folders(root)
    if not tops:
        yield from (_Document(file, file.stem, "") for file in _texts(root))
        return
    parts = {top.name: part_name(top.name) for top in tops}
    has_parts = all(parts.values()) and "train" in parts.values()
    for top in tops:
        for folder in _folders(top) if has_parts else [top]:
            for file in _texts(folder):
                yield _Document(file, folder.name, (parts[top.name] or "") if has_parts else "")


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _texts(path: Path) -> list[Path]:
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.is_file()
        and entry.suffix.lower() == ".txt"
        and not entry.name.lower().startswith((".", "readme", "licen"))
    )


class Corpus(Source):
    """One long text to learn a language from, or one for each part."""

    def __init__(self, spec: DataSpec, files: list[Path], title: str, parts: list[str] | None = None) -> None:
        super().__init__(spec, title)
        self._files, self._parts = files, parts

    @property
    def name(self) -> str:
        file = self._files[0]
        return path_name(file.parent if self._parts or file.stem.lower() in ("input", "corpus", "text") else file)

    def identity(self, store: HasRoot) -> str:
        return "corpus/" + fingerprint.of_files(store, self._files[0].parent, self._files)

    def read(self, store: HasRoot, progress: Progress) -> Material:
        if self.spec.task not in ("auto", "language"):
            raise DataError(f"{self.title!r} is one text without labels; it can be learnt as a language only.")
        progress(f"Reading {self.title}", None)
        remarks: list[Remark] = []
        texts = [read_text_file(file, remarks) for file in self._files]
        stretches = None
        if self._parts:
            by_part = dict(zip(self._parts, texts, strict=True))
            stretches = [by_part.get(part, "") for part in ("train", "validation", "test")]
        material = language_material(texts[0], self.spec, repr(self.title), stretches)
        material.remarks += remarks
        return material


def is_prose(path: Path) -> bool:
    """Whether a .txt file is a text and no table: no separator gives its lines the same number of fields."""
    from lepton_lab.data.table_text import separated_share

    with path.open("rb") as stream:
        raw = stream.read(64 * 1024)
    try:
        text = decode_text(raw[: raw.rfind(b"\n") + 1] or raw, path)
    except DataError:
        return False
    return separated_share(text) < 0.98
