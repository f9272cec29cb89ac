"""The embedded set: its counts, its cache, and the same bits whichever way a row comes in."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from lepton_lab.data import Preparation, known_names, load
from lepton_lab.data.storage import folder
from lepton_lab.errors import DataError, SpecError, UnknownName
from lepton_lab.specs import DataSpec


@pytest.fixture
def digits(store):
    return load(DataSpec(), store)


def test_counts_are_those_of_the_source(digits):
    assert {name: len(part) for name, part in digits.splits.items()} == {"train": 1294, "validation": 144, "test": 359}
    rows = np.concatenate([part.row_ids for part in digits.splits.values()])
    assert np.array_equal(np.sort(rows), np.arange(1797))
    assert digits.classes == list("0123456789")
    assert digits.input_shape == (1, 8, 8)
    assert digits.preparation.signature() == {"name": "input", "datatype": "FP32", "shape": [-1, 1, 8, 8]}


def test_each_class_has_its_share_in_every_part(digits):
    shares = [np.bincount(part.labels) / len(part) for part in digits.splits.values()]
    assert max(np.abs(share - shares[0]).max() for share in shares) < 0.01


def test_training_inputs_are_standardised(digits):
    train = digits.preparation.apply(digits.splits["train"].inputs)
    assert train.dtype == np.float32 and train.flags.c_contiguous and train.flags.writeable
    assert abs(float(train.mean())) < 1e-4 and abs(float(train.std()) - 1) < 1e-4


def test_pictures_and_lists_give_the_bits_of_training(digits):
    test = digits.splits["test"]
    expected = digits.preparation.apply(test.inputs)
    again = Preparation.from_dict(json.loads(json.dumps(digits.preparation.to_dict())))
    pictures = again.from_raw([digits.sample_png("test", row) for row in range(len(test))])
    lists = again.from_raw([digits.raw_sample("test", row).tolist() for row in range(len(test))])
    assert pictures.tobytes() == expected.tobytes()
    assert lists.tobytes() == expected.tobytes()


def test_one_row_alone_has_the_bits_it_has_in_a_batch(digits):
    inputs = digits.splits["test"].inputs
    batch = digits.preparation.apply(inputs[:32])
    alone = [digits.preparation.apply(inputs[row : row + 1])[0] for row in range(32)]
    assert np.stack(alone).tobytes() == batch.tobytes()


def test_the_second_load_reads_the_cache(store, digits):
    path = folder(store, digits.fingerprint)
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    told: list[str] = []
    again = load(DataSpec(), store, progress=lambda what, fraction: told.append(what))
    assert told == []
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before
    assert again.fingerprint == digits.fingerprint


@pytest.mark.parametrize("change", [{"split_seed": 1}, {"test_fraction": 0.3}, {"normalize": "minmax"}])
def test_another_option_is_another_fingerprint(store, digits, change):
    assert load(DataSpec(**change), store).fingerprint != digits.fingerprint


def test_a_damaged_folder_is_built_again(store, digits):
    labels = folder(store, digits.fingerprint) / "train.labels.npy"
    labels.write_bytes(labels.read_bytes()[:-8])
    assert len(load(DataSpec(), store).splits["train"]) == 1294
    assert not [path for path in folder(store, "x").parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("normalize", "low", "high"), [("minmax", 0.0, 1.0), ("none", 0.0, 16.0)])
def test_the_other_scalings(store, normalize, low, high):
    digits = load(DataSpec(normalize=normalize), store)
    train = digits.preparation.apply(digits.splits["train"].inputs)
    assert (float(train.min()), float(train.max())) == (low, high)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([[1, 2, 3]], "expected a picture of 8x8 numbers, got 3"),
        ([[[0] * 8] * 7 + [[0] * 7]], "not all of the same length"),
        ([[[255] * 8] * 8], "values from 0 to 16"),
        ([[[float("nan")] * 8] * 8], "NaN"),
        ([[["a"] * 8] * 8], "nested lists of numbers"),
        ([[[10**400] * 8] * 8], "nested lists of numbers"),
        ([[[0] * 8] * 8, b"no picture"], "Item 1: the file is not a readable PNG"),
        (["data:image/png;base64,%%%"], "not valid base64"),
        ([None], "nested lists of numbers"),
        (b"bytes", "put a single item in a list"),
        (7, "Expected a list of items"),
    ],
)
def test_wrong_items_are_named(digits, items, said):
    with pytest.raises(DataError) as caught:
        digits.preparation.from_raw(items)
    assert said in str(caught.value)


def test_no_items_are_no_rows(digits):
    assert digits.preparation.from_raw([]).shape == (0, 1, 8, 8)


def test_a_wrong_stored_shape_is_named(digits):
    with pytest.raises(DataError, match="Rows have shape 1x8x9; expected 1x8x8"):
        digits.preparation.apply(np.zeros((2, 1, 8, 9), np.uint8))


def test_the_card(digits):
    card = json.loads(json.dumps(digits.card().to_dict()))
    assert card["num_rows"] == 1797 and card["rows"] == {"train": 1294, "validation": 144, "test": 359}
    assert [entry["rows"] for entry in card["classes"]] == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len(card["samples"]) == 12
    assert {sample["label"] for sample in card["samples"]} == set(digits.classes)
    assert all(sample["image"].startswith("data:image/png;base64,") for sample in card["samples"])
    assert card["warnings"] == []


def test_a_row_that_is_not_there(digits):
    with pytest.raises(DataError, match="no row 359 of the test part"):
        digits.raw_sample("test", 359)
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        digits.raw_sample("tets", 0)


def test_unknown_names_get_the_nearest_one(store):
    assert "digits" in known_names()
    with pytest.raises(UnknownName, match="Did you mean 'digits'"):
        load(DataSpec(name="digit"), store)
    with pytest.raises(DataError, match="no file or folder"):
        load(DataSpec(name="nowhere/table.csv"), store)


def test_options_without_a_meaning_are_refused(store):
    with pytest.raises(SpecError, match="image_size resizes the pictures of a folder"):
        load(DataSpec(image_size=16), store)


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, lepton_lab.data as data; data.known_names();"
        "heavy = {'numpy', 'polars', 'pandas', 'sklearn', 'PIL', 'pyarrow', 'torch'} & set(sys.modules);"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "values", [{}, {"kind": "pickle"}, {"kind": "image", "shape": [1, 8]}, None, {"kind": "table"}]
)
def test_a_broken_description_of_a_preparation_is_a_data_error(values):
    with pytest.raises(DataError):
        Preparation.from_dict(values)
