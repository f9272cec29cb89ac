"""NPZ, NPY and IDX files as datasets, and what is wrong with them said with the member's name."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import load
from lepton_lab.data.array_files import read_npy, read_npz
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

DRAW = np.random.default_rng(0)
PICTURES = DRAW.integers(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3


def npz(folder: Path, **arrays: np.ndarray) -> DataSpec:
    np.savez_compressed(folder / "set.npz", **arrays)
    return DataSpec(name=str(folder / "set.npz"))


def test_npz_with_the_parts_of_keras(store, tmp_path):
    spec = npz(tmp_path, x_train=PICTURES[:45], y_train=LABELS[:45], x_test=PICTURES[45:], y_test=LABELS[45:])
    dataset = load(spec, store)
    assert dataset.modality == "image" and dataset.input_shape == (1, 8, 8) and dataset.classes == ["0", "1", "2"]
    assert len(dataset.splits["test"]) == 15
    assert (dataset.splits["test"].inputs[:, 0] == PICTURES[45:]).all()


def test_npz_with_two_arrays_and_npy_with_labels_beside(store, tmp_path):
    assert load(npz(tmp_path, images=PICTURES, labels=LABELS.astype(str)), store).classes == ["0", "1", "2"]
    assert load(npz(tmp_path, a=PICTURES, x=PICTURES, species=LABELS).changed(target="species"), store).num_classes == 3
    series = DRAW.normal(size=(60, 20, 2))
    np.save(tmp_path / "x.npy", series)
    np.save(tmp_path / "y.npy", LABELS)
    dataset = load(DataSpec(name=str(tmp_path / "x.npy")), store)
    assert dataset.modality == "sequence" and dataset.input_shape == (20, 2)
    one_hot = np.eye(3)[LABELS]
    assert load(npz(tmp_path, x=series, y=one_hot), store).classes == ["0", "1", "2"]


def test_a_table_of_numbers(store, tmp_path):
    rows = np.column_stack([DRAW.normal(size=(60, 3)), LABELS])
    np.save(tmp_path / "rows.npy", rows)
    dataset = load(DataSpec(name=str(tmp_path / "rows.npy")), store)
    assert (dataset.modality, dataset.task, dataset.classes) == ("table", "classification", ["0", "1", "2"])
    parts = npz(tmp_path, x_train=rows[:40, :3], y_train=LABELS[:40], x_test=rows[40:, :3], y_test=LABELS[40:])
    assert len(load(parts, store).splits["test"]) == 20


def test_idx_of_other_numbers(store, tmp_path):
    for what, kind, array in (("images", 13, (PICTURES / 255).astype(">f4")), ("labels", 9, LABELS.astype(">i1"))):
        header = struct.pack(">HBB", 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
        name = f"train-{what}.idx{3 if what == 'images' else 1}-ubyte.gz"
        (tmp_path / name).write_bytes(gzip.compress(header + array.tobytes()))
    dataset = load(DataSpec(name=str(tmp_path / "train-images.idx3-ubyte.gz")), store)
    assert dataset.input_shape == (1, 8, 8) and len(dataset.splits["test"]) == 12


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": PICTURES}, "holds the arrays x; expected inputs and labels"),
        ({"x": PICTURES, "y": LABELS[:5]}, "60 rows and 5 labels"),
        ({"x": np.array([[{}]], object), "y": LABELS[:1]}, "member 'x.npy' holds values of type object"),
        ({"x": np.full((60, 4, 3, 3), np.nan), "y": LABELS}, "row 0: the inputs hold NaN"),
        ({"x": PICTURES.astype("U3"), "y": LABELS}, "expected numbers"),
    ],
)
def test_what_is_wrong_with_an_npz_is_said(store, tmp_path, arrays, words):
    with pytest.raises(DataError, match=words):
        load(npz(tmp_path, **arrays), store)


def test_broken_members_are_named(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, PICTURES)
    for content, words in (
        (buffer.getvalue()[:-5], "member 'x.npy' .*announces"),
        (buffer.getvalue() + b"1", "member 'x.npy' .*announces"),
        (b"no array", "member 'x.npy' has no readable NPY header"),
        (buffer.getvalue().replace(b"(60, 8, 8)", b"(60, 8, 9)"), "member 'x.npy' .*announces"),
    ):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(DataError, match=words):
            read_npz(tmp_path / "a.npz")
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(DataError, match=r"'x.npy'"):
            read_npy(tmp_path / "x.npy")
