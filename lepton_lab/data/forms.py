"""Rows of every form on disk: plain arrays, ragged rows, windows on one series; each file says what it is.

`<name>.npy` is an array, `<name>.offsets.npy` with `<name>.values.npy` are ragged rows, `<name>.windows.npy` holds the
beginning and end of windows on `series.npy` of the same folder, which is written once for all splits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lepton_lab.data import storage
from lepton_lab.data.rows import Ragged, Windows

Rows = np.ndarray | Ragged | Windows
"""The forms that the rows of a split can have."""

SERIES = "series.npy"
_CHUNK_ROWS = 16_384


def save_part(path: Path, source: Rows, rows: np.ndarray) -> None:
    """Writes some rows of a source, a chunk at a time, so that memory stays small.

    Args:
        path: Folder and name without a suffix ("train.inputs").
        source: All rows. The series of windows must be written with `save_series`.
        rows: Row numbers, int64 (M,).
    """
    if isinstance(source, Ragged):
        _save_ragged(path, source, rows)
    elif isinstance(source, Windows):
        starts = source.starts[rows].astype(np.int64)
        np.save(_file(path, "windows"), np.stack([starts, starts + source.length], axis=1))
    else:
        storage.save_rows(_file(path), source, rows)


def save_series(folder: Path, series: np.ndarray) -> None:
    """Writes the one series that all windows of a dataset lie on; a second call does nothing."""
    if not (folder / SERIES).exists():
        storage.save_rows(folder / SERIES, series, np.arange(len(series)))


def _save_ragged(path: Path, source: Ragged, rows: np.ndarray) -> None:
    offsets = np.concatenate([[0], np.cumsum(source.lengths[rows])]).astype(np.int64)
    np.save(_file(path, "offsets"), offsets)
    chunks = (source.take(rows[start : start + _CHUNK_ROWS]).values for start in range(0, len(rows), _CHUNK_ROWS))
    shape = (int(offsets[-1]), *source.values.shape[1:])
    storage.save_chunks(_file(path, "values"), source.values.dtype, shape, chunks)


def open_part(path: Path) -> Rows:
    """Rows as `save_part` wrote them, mapped into memory read-only.

    Args:
        path: Folder and name without a suffix.
    """
    if (offsets := _file(path, "offsets")).exists():
        return Ragged(storage.open_array(_file(path, "values")), np.array(storage.open_array(offsets)))
    if (windows := _file(path, "windows")).exists():
        places = np.array(storage.open_array(windows))
        length = int(places[0, 1] - places[0, 0]) if len(places) else 1
        return Windows(storage.open_array(path.parent / SERIES), places[:, 0], length)
    return storage.open_array(_file(path))


def has_part(path: Path) -> bool:
    """Whether rows of this name were written."""
    return any(_file(path, kind).exists() for kind in ("", "offsets", "windows"))


def text_rows(texts: list[str]) -> Ragged:
    """Texts as ragged rows of UTF-8 bytes."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in encoded])]).astype(np.int64)
    return Ragged(np.frombuffer(b"".join(encoded), np.uint8), offsets)


def text_of(row: np.ndarray) -> str:
    """The text of a row of `text_rows`."""
    return bytes(np.asarray(row, np.uint8)).decode("utf-8", "surrogatepass")


def _file(path: Path, kind: str = "") -> Path:
    return path.with_name(f"{path.name}.{kind}.npy" if kind else f"{path.name}.npy")
