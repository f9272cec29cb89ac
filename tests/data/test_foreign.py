"""Datasets of other libraries, straight from a notebook: the same rows and labels, whoever held them."""

from __future__ import annotations

import datasets as hugging_face
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

from lepton_lab.data import from_arrays, load
from lepton_lab.errors import DataError

ROWS = 120
DRAW = np.random.default_rng(0)
SIZES = DRAW.normal(0, 1, ROWS).round(3)
SHOPS = DRAW.choice(["north", "south"], ROWS).tolist()
LABELS = DRAW.integers(0, 3, ROWS)
COLUMNS = {"size": SIZES.tolist(), "shop": SHOPS, "label": LABELS.tolist()}
SENTENCES = [f"a {'good' if label else 'bad'} film, number {row}" for row, label in enumerate(LABELS)]


@pytest.fixture
def load_data(session):
    return lambda source, **options: session.load_data(source, **options).prepared


class Capsule:
    """Something that speaks the Arrow PyCapsule interface and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


TABLES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "lazy polars": pl.LazyFrame,
    "pyarrow": pa.table,
    "record batch": lambda columns: pa.RecordBatch.from_pydict(columns),
    "capsule": lambda columns: Capsule(pa.table(columns)),
    "hugging face": hugging_face.Dataset.from_dict,
    "dict": dict,
    "dict of tensors": lambda columns: {**columns, "size": torch.tensor(columns["size"], dtype=torch.float64)},
    "torch dicts": lambda columns: Rows(pl.DataFrame(columns).to_dicts()),
}


class Rows(torch.utils.data.Dataset):
    """A map-style torch dataset on a list."""

    def __init__(self, rows, classes=None):
        self.rows = rows
        if classes is not None:
            self.classes = classes

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.rows[row]


@pytest.mark.parametrize("library", TABLES)
def test_a_table_is_the_same_whoever_holds_it(load_data, library):
    dataset = load_data(TABLES[library](COLUMNS), target="label", name="rows")
    assert dataset.task == "classification" and dataset.classes == ["0", "1", "2"]
    expected = load_data(pl.DataFrame(COLUMNS), target="label", name="rows")
    for name, part in dataset.splits.items():
        assert np.array_equal(part.labels, expected.splits[name].labels)
        assert np.array_equal(part.inputs, expected.splits[name].inputs)


def test_torch_tensors(load_data):
    pictures = torch.arange(ROWS * 64, dtype=torch.uint8).reshape(ROWS, 8, 8)
    dataset = load_data((pictures, torch.from_numpy(LABELS)))
    assert dataset.modality == "image" and dataset.card().num_rows == ROWS
    row = dataset.splits["test"].row_ids[0]
    assert np.array_equal(dataset.raw_sample("test", 0), pictures[row].numpy())


def test_a_torch_dataset_of_pictures_with_its_classes(load_data):
    rows = [(Image.fromarray(np.full((9, 9), row * 2, np.uint8)), int(LABELS[row])) for row in range(ROWS)]
    dataset = load_data(Rows(rows, classes=["cat", "dog", "cow"]))
    assert dataset.modality == "image" and dataset.classes == ["cat", "dog", "cow"]
    row = dataset.splits["train"].row_ids[0]
    assert dataset.splits["train"].labels[0] == LABELS[row]
    assert (dataset.raw_sample("train", 0) == row * 2).all()


def test_a_tensor_dataset_and_part_of_it(load_data):
    whole = torch.utils.data.TensorDataset(torch.from_numpy(DRAW.normal(size=(ROWS, 5))), torch.from_numpy(LABELS))
    part = torch.utils.data.Subset(whole, range(60))
    assert load_data(whole).card().num_rows == ROWS and load_data(part).card().num_rows == 60
    with pytest.raises(DataError, match="no rows"):
        load_data(torch.utils.data.Subset(whole, []))


def test_texts_and_labels(load_data):
    for source in ((SENTENCES, LABELS), Rows(list(zip(SENTENCES, LABELS.tolist(), strict=True)))):
        dataset = load_data(source)
        assert dataset.modality == "text" and dataset.classes == ["0", "1", "2"]
        assert dataset.raw_sample("test", 0) in SENTENCES


def test_hugging_face_class_labels_and_splits(load_data):
    features = hugging_face.Features(
        {"text": hugging_face.Value("string"), "label": hugging_face.ClassLabel(names=["bad", "fair", "good"])}
    )
    whole = hugging_face.Dataset.from_dict({"text": SENTENCES, "label": LABELS.tolist()}, features=features)
    dataset = load_data(whole)
    assert dataset.modality == "text" and dataset.classes == ["bad", "fair", "good"]
    parts = hugging_face.DatasetDict({"train": whole.select(range(90)), "test": whole.select(range(90, ROWS))})
    split = load_data(parts)
    assert len(split.splits["test"]) == 30 and split.splits["test"].row_ids.min() == 90
    shuffled = load_data(whole.shuffle(seed=1).select(range(50)))
    assert shuffled.card().num_rows == 50, "a view on some rows is these rows"


def test_hugging_face_pictures(load_data):
    images = [Image.fromarray(np.full((8, 8, 3), row, np.uint8)) for row in range(ROWS)]
    features = hugging_face.Features(
        {"image": hugging_face.Image(), "label": hugging_face.ClassLabel(names=["a", "b", "c"])}
    )
    source = hugging_face.Dataset.from_dict({"image": images, "label": LABELS.tolist()}, features=features)
    dataset = load_data(source)
    assert dataset.modality == "image" and dataset.input_shape == (3, 8, 8) and dataset.classes == ["a", "b", "c"]


def test_numbers_and_marks_to_learn_from_arrays(store):
    pictures = DRAW.integers(0, 256, (ROWS, 8, 8), np.uint8)
    ages = load(from_arrays(pictures, SIZES, store=store), store)
    assert ages.task == "regression" and ages.problem.output_shape == (1,) and ages.classes == ["target"]
    assert np.allclose(np.sort(np.concatenate([part.labels.ravel() for part in ages.splits.values()])), np.sort(SIZES))
    marks = DRAW.integers(0, 2, (ROWS, 3))
    several = load(from_arrays(pictures, marks, classes=["hat", "coat", "shoe"], task="multilabel", store=store), store)
    assert several.task == "multilabel" and several.classes == ["hat", "coat", "shoe"]
    assert several.card().classes[0]["rows"] == marks[:, 0].sum()
    with pytest.raises(DataError, match=r"expected numbers \(N,\) or \(N, K\) with N = 120"):
        from_arrays(pictures, SIZES[:5], store=store)


def test_arrow_that_is_no_table_is_refused(load_data):
    with pytest.raises(DataError, match="is no table"):
        load_data({"a": [1, 2], "b": [1]})
