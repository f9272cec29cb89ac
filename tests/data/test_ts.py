"""`.ts` files: equal and unequal length, official pairs, regression, missing values and broken lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import load
from lepton_lab.data.rows import Ragged
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

HEADER = "@problemName toy\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("name", "train", "test", "shape", "classes"),
    [
        ("GunPoint", 50, 150, (150, 1), 2),
        ("ItalyPowerDemand", 67, 1029, (24, 1), 2),
        ("BasicMotions", 40, 40, (100, 6), 4),
        ("JapaneseVowels", 270, 370, (29, 12), 9),
    ],
)
def test_the_counts_of_the_archives(store, material, name, train, test, shape, classes):
    folder = material / "ucr-uea"
    dataset = load(DataSpec(name=str(folder / f"{name}_TRAIN.ts")), store)
    rows = {part: len(split) for part, split in dataset.splits.items()}
    assert dataset.name == name and rows["train"] + rows["validation"] == train and rows["test"] == test
    assert (dataset.task, dataset.modality, dataset.input_shape) == ("classification", "sequence", shape)
    assert len(dataset.classes) == classes and dataset.problem.has_lengths == (name == "JapaneseVowels")
    assert len(dataset.card().samples) == 12
    assert load(DataSpec(name=str(folder / f"{name}_TEST.ts")), store).fingerprint == dataset.fingerprint


def test_unequal_lengths_come_with_their_lengths(store, material):
    vowels = load(DataSpec(name=str(material / "ucr-uea" / "JapaneseVowels_TRAIN.ts")), store)
    part, preparation = vowels.splits["test"], vowels.preparation
    assert isinstance(part.inputs, Ragged) and part.inputs.lengths.min() == 7 and part.inputs.lengths.max() == 29
    inputs, lengths = preparation.from_raw([vowels.raw_sample("test", row) for row in range(8)])
    prepared = Ragged(preparation.apply(part.inputs.values), part.inputs.offsets)
    assert lengths.tolist() == prepared.lengths[:8].tolist()
    assert inputs.tobytes() == prepared.padded(np.arange(8)).tobytes()
    with pytest.raises(DataError, match="Item 0: expected steps of 12 numbers"):
        preparation.from_raw([[[1.0] * 11]])


def case(values: str, label: str = "a") -> str:
    return f"{values}:{label}\n"


def write(folder: Path, text: str, name: str = "toy.ts") -> DataSpec:
    (folder / name).write_text(text)
    return DataSpec(name=str(folder / name))


def test_regression_and_missing_values(store, tmp_path):
    head = "@problemName toy\n@classLabel false\n@targetlabel true\n@data\n"
    dataset = load(write(tmp_path, head + "".join(f"1,?,3:4,5,6:{n / 4}\n" for n in range(20))), store)
    assert dataset.task == "regression" and dataset.splits["train"].labels.shape[1:] == (1,)
    assert dataset.splits["train"].inputs[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert "missing_filled" in {remark["kind"] for remark in dataset.card().warnings}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line @data"),
        (HEADER, "no case"),
        (HEADER + case("1,2:3,4") + case("1,2:3"), "line 7: its dimensions have"),
        (HEADER + case("1,2:3,4") + case("1,2"), "line 7: it has 1 dimensions"),
        (HEADER + case("1,x:3,4"), "line 6, dimension 1: 'x' is no number"),
        (HEADER + case("1,inf:3,4"), "line 6, dimension 1: a value is infinite"),
        (HEADER + case("1,2:3,4", "c"), "line 6: the label 'c' is not among"),
        (HEADER + "1,2\n", "line 6"),
        (HEADER + case("?,?:3,4"), "line 6: dimension 1 has no value"),
        ("hello\n", "line 1: expected a line that starts with @"),
        (HEADER.replace("false\n@uni", "true\n@uni"), "time stamps"),
    ],
)
def test_broken_files_say_where(store, tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        load(write(tmp_path, text), store)
