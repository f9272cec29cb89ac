"""Every real set of pictures, sounds, sequences and series loads in one line, with the counts of its README."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SPOKEN = {"pattern": "{label}_{speaker}_{index}"}
DIGITS = [str(digit) for digit in range(10)]


def forecast(rows: int, window: int, horizon: int) -> int:
    return rows - window - horizon + 1


SETS = [
    # path, options, task, modality, rows of all parts, rows of the test part, classes
    ("sign-language-digits/images", {}, "classification", "image", 1000, None, DIGITS),
    ("bccd", {"image_size": 64}, "detection", "image", 292, None, ["Platelets", "RBC", "WBC"]),
    ("free-spoken-digit/recordings", {**SPOKEN, "test_where": "index<5"}, "classification", "audio", 3000, 300, DIGITS),
    (
        "free-spoken-digit/recordings",
        {**SPOKEN, "test_where": "speaker=theo", "roles": "speaker=group"},
        "classification",
        "audio",
        3000,
        500,
        DIGITS,
    ),
    ("ucr-uea/GunPoint_TRAIN.ts", {}, "classification", "sequence", 200, 150, ["1", "2"]),
    ("ucr-uea/ItalyPowerDemand_TRAIN.ts", {}, "classification", "sequence", 1096, 1029, ["1", "2"]),
    (
        "ucr-uea/BasicMotions_TRAIN.ts",
        {},
        "classification",
        "sequence",
        80,
        40,
        ["Badminton", "Running", "Standing", "Walking"],
    ),
    ("ucr-uea/JapaneseVowels_TRAIN.ts", {}, "classification", "sequence", 640, 370, DIGITS[1:]),
    (
        "ett/ETTh1.csv",
        {"window": 336, "horizon": 96, "time_split": "12/4/4 months"},
        "forecasting",
        "series",
        forecast(8640, 336, 96) + 2 * forecast(2880, 0, 96),
        2785,
        ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"],
    ),
    (
        "ett/ETTh2.csv",
        {"window": 96, "horizon": 24, "time_split": "8640/2880/2880"},
        "forecasting",
        "series",
        forecast(8640, 96, 24) + 2 * forecast(2880, 0, 24),
        2857,
        ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"],
    ),
    ("airline/airline.csv", {"window": 24, "horizon": 12}, "forecasting", "series", None, None, ["Passengers"]),
]


@pytest.mark.parametrize(("path", "options", "task", "modality", "rows", "test_rows", "classes"), SETS)
def test_the_counts_of_the_readme(session, material, path, options, task, modality, rows, test_rows, classes):
    dataset = session.load_data(str(material / path), **options)
    prepared = dataset.prepared
    assert (prepared.task, prepared.modality, prepared.classes) == (task, modality, classes)
    assert rows is None or sum(dataset.num_rows.values()) == rows
    assert test_rows is None or dataset.num_rows["test"] == test_rows
    card = dataset.card.to_dict()
    assert len(card["samples"]) == 12 and not [w for w in card["warnings"] if w["severity"] == "error"]
    from lepton_lab.widgets.data_card import data_card

    shown = str(data_card(dataset))
    assert "<section" in shown and "Samples" in shown
    if path.startswith("sign"):
        assert [entry["rows"] for entry in card["classes"]] == [100] * 10
    if path.startswith("free-spoken"):
        assert [entry["rows"] for entry in card["classes"]] == [300] * 10
    if options.get("test_where") == "index<5":
        files, part = sorted((material / path).iterdir()), prepared.splits["test"]
        sent = [files[row].read_bytes() for row in part.row_ids[::10]]
        assert prepared.preparation.from_raw(sent).tobytes() == prepared.preparation.apply(part.inputs[::10]).tobytes()
        assert np.bincount(part.labels).tolist() == [30] * 10 and prepared.input_shape == (1, 40, 88)
    if path.startswith("airline"):
        series = np.asarray(prepared.splits["train"].inputs.series)
        assert series.shape == (144, 1) and series[0, 0] == 112 and series[-1, 0] == 432


def test_fashion_mnist_by_its_files(session, material):
    folder = material / "fashion-mnist"
    dataset = session.load_data(str(folder))
    assert dataset.name == "fashion-mnist" and dataset.input_shape == (1, 28, 28)
    assert dataset.num_rows == {"train": 54_000, "validation": 6000, "test": 10_000}
    assert [entry["rows"] for entry in dataset.card.to_dict()["classes"]] == [7000] * 10


def test_a_card_plays_sounds_and_escapes_what_files_are_called(session, tmp_path: Path):
    from lepton_lab.data.sound import encode_wav
    from lepton_lab.widgets.data_card import data_card

    for label in ("<img src=x onerror=alert(1)>", '"onload="x'):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(10):
            wav = encode_wav((np.sin(np.arange(800) / (3 + number)) * 9000).astype(np.int16), 8000)
            (tmp_path / "set" / label / f"<b>{number}.wav").write_bytes(wav)
    (tmp_path / "set" / "<script>alert(2)<script>.txt").write_text("x")
    shown = str(data_card(session.load_data(str(tmp_path / "set"))))
    assert '<audio src="data:audio/wav;base64,' in shown
    assert "<img src=x" not in shown and "<script>" not in shown and '"onload="' not in shown
