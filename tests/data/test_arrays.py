"""What lives in a notebook: shapes told apart, named by content, loaded again by any process."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lepton_lab.data import from_arrays, load
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec

DRAW = np.random.default_rng(0)
LABELS = np.arange(60) % 3
BYTES = DRAW.integers(0, 256, (60, 3, 10, 12), dtype=np.uint8)


@pytest.mark.parametrize(
    ("inputs", "modality", "shape"),
    [
        (BYTES, "image", (3, 10, 12)),
        (np.moveaxis(BYTES, 1, -1), "image", (3, 10, 12)),
        (BYTES[:, 0], "image", (1, 10, 12)),
        (BYTES[:, 0].astype(float), "image", (1, 10, 12)),
        (BYTES[:, 0, :, :10] / 255.0, "image", (1, 10, 10)),
        (BYTES / 127.5 - 1, "image", (3, 10, 12)),
        (DRAW.normal(size=(60, 20, 4)), "sequence", (20, 4)),
        (DRAW.normal(size=(60, 7)), "table", (7,)),
        (BYTES[:, 0, 0].tolist(), "table", (12,)),
    ],
)
def test_shapes_are_told_apart_and_raw_rows_give_the_bits_of_training(store, inputs, modality, shape):
    dataset = load(from_arrays(inputs, LABELS, store=store), store)
    assert (dataset.modality, dataset.input_shape) == (modality, shape)
    assert dataset.classes == ["0", "1", "2"] and dataset.card().num_rows == 60
    test = dataset.splits["test"]
    rows = [dataset.raw_sample("test", row) for row in range(len(test))]
    rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]
    assert dataset.preparation.from_raw(rows).tobytes() == dataset.preparation.apply(test.inputs).tobytes()
    assert len(dataset.card().samples) == 12


def test_the_order_of_channels_does_not_matter(store):
    first = load(from_arrays(BYTES, LABELS, store=store), store)
    last = load(from_arrays(np.moveaxis(BYTES, 1, -1), LABELS, store=store), store)
    assert first.fingerprint == last.fingerprint
    png = first.preparation.from_raw([first.sample_png("test", 0)])
    assert png.tobytes() == first.preparation.apply(first.splits["test"].inputs[:1]).tobytes()


def test_the_same_content_has_the_same_fingerprint(store):
    specs = [
        from_arrays(BYTES.copy(), labels, store=store) for labels in (LABELS, LABELS.tolist(), LABELS.astype(float))
    ]
    assert len({spec.fingerprint for spec in specs}) == 1
    changed = BYTES.copy()
    changed[3, 0, 0, 0] ^= 1
    assert from_arrays(changed, LABELS, store=store).fingerprint != specs[0].fingerprint


def test_labels_with_names(store):
    by_place = load(from_arrays(BYTES, LABELS, classes=["cat", "dog", "owl"], store=store, name="pets"), store)
    by_name = load(from_arrays(BYTES, np.array(["cat", "dog", "owl"])[LABELS], store=store), store)
    assert by_place.classes == by_name.classes == ["cat", "dog", "owl"] and by_place.name == "pets"
    assert np.array_equal(by_place.splits["test"].labels, by_name.splits["test"].labels)


def frames():
    columns = {"size": DRAW.normal(size=60).tolist(), "kind": ["a", "b", None] * 20, "label": ["x", "y", "z"] * 20}
    return pd.DataFrame(columns), pl.DataFrame(columns)


def test_pandas_and_polars_frames_give_the_same(store):
    in_pandas, in_polars = (load(from_arrays(frame, store=store), store) for frame in frames())
    for name, part in in_pandas.splits.items():
        assert np.array_equal(part.inputs, in_polars.splits[name].inputs, equal_nan=True)
    assert in_pandas.classes == ["x", "y", "z"]


def test_frames_with_labels_beside_them(store):
    for frame in frames():
        beside = frame[["size", "kind"]]
        dataset = load(from_arrays(beside, frame["label"], store=store, name="shop"), store)
        assert dataset.classes == ["x", "y", "z"] and set(dataset.raw_sample("test", 0)) == {"size", "kind"}
        numbered = load(from_arrays(beside, LABELS, classes=["p", "q", "r"], store=store), store)
        assert numbered.classes == ["p", "q", "r"]


def test_pandas_columns_of_other_kinds(store):
    frame = pd.DataFrame({0: np.arange(60) / 2, "when": pd.date_range("2024-01-01", periods=60)})
    frame["group"] = pd.Categorical(["1", "2", "3"] * 20)
    frame["label"] = [True, False] * 30
    dataset = load(from_arrays(frame, store=store), store)
    assert dataset.classes == ["false", "true"]
    assert [column["kind"] for column in dataset.card().columns] == ["number", "date", "category", "target"]


@pytest.mark.parametrize(
    ("inputs", "labels", "said"),
    [
        (BYTES, LABELS[:5], "60 rows and 5 labels"),
        (BYTES, None, "labels are missing"),
        (BYTES, np.eye(3)[LABELS], r"labels.argmax\(axis=1\)"),
        (BYTES, [*LABELS[:-1].tolist(), None], "no label in row 59"),
        (BYTES, np.where(LABELS == 0, np.nan, LABELS), "no valid label in row 0"),
        (BYTES, np.arange(60), "60 different values in 60 rows"),
        (np.zeros(60), LABELS, "expected numbers"),
        (np.zeros((60, 2, 2, 2, 2)), LABELS, "2 to 4 dimensions"),
        (np.zeros((60, 0)), LABELS, "none empty"),
        ([[1, 2], [3]], [0, 1], "different shapes"),
        (np.array([["a", "b"]] * 60), LABELS, "expected numbers"),
        (np.where(BYTES == 7, np.nan, BYTES), LABELS, "NaN or infinity"),
    ],
)
def test_what_is_wrong_is_said(store, inputs, labels, said):
    with pytest.raises(DataError, match=said):
        from_arrays(inputs, labels, store=store)


def test_wrong_options_are_said(store):
    with pytest.raises(UnknownName, match="Did you mean 'split_seed'"):
        from_arrays(BYTES, LABELS, store=store, split_sed=1)
    with pytest.raises(SpecError, match="modality is 'picture'"):
        from_arrays(BYTES, LABELS, store=store, modality="picture")
    with pytest.raises(DataError, match="not among the 2 given classes"):
        from_arrays(BYTES, ["a", "b", "c"] * 20, classes=["a", "b"], store=store)


@pytest.mark.parametrize("fingerprint", ["0" * 32, "../../etc"])
def test_data_that_left_the_cache(store, fingerprint):
    with pytest.raises(DataError, match="again"):
        load(DataSpec(name="gone", fingerprint=fingerprint), store)


def test_another_process_loads_it_without_the_libraries_of_the_notebook(store):
    spec = from_arrays(BYTES, LABELS, store=store)
    code = (
        "import sys; from pathlib import Path; from types import SimpleNamespace\n"
        "from lepton_lab.data import load; from lepton_lab.specs import DataSpec\n"
        f"spec = DataSpec.model_validate_json({spec.model_dump_json()!r})\n"
        "data = load(spec, SimpleNamespace(root=Path(sys.argv[1])))\n"
        "print(len(data.splits['train']), sorted({'pandas', 'polars', 'sklearn', 'torch', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.root)], capture_output=True, text=True, timeout=60, env=os.environ.copy()
    )
    assert done.stdout.strip() == "43 []", done.stderr
