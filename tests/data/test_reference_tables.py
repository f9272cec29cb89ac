"""The real sets of tables, texts and ratings: each loads in one line with the task, counts and labels of its README."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lepton_lab.data import Preparation, load
from lepton_lab.data.rows import Windows
from lepton_lab.specs import DataSpec


@pytest.fixture
def load_data(session):
    """The public one-liner."""

    def loaded(path, **options):
        dataset = session.load_data(str(path), **options)
        assert str(dataset) and json.dumps(dataset.to_dict())
        return dataset.prepared

    return loaded


def test_adult(load_data, material):
    adult = load_data(material / "adult")
    card = adult.card()
    assert (card.task, card.modality, card.name) == ("classification", "table", "adult")
    assert card.rows["train"] + card.rows["validation"] == 32_561 and card.rows["test"] == 16_281
    assert adult.classes == ["<=50K", ">50K"]
    positive = card.classes[1]
    assert round((positive["train"] + positive["validation"]) / 32_561, 3) == 0.241
    assert adult.problem.cardinalities == (43,)


def test_adult_alone_has_the_missing_values_of_its_readme(load_data, material):
    path = material / "adult" / "train.csv"
    complete = load_data(path, missing="drop")
    assert 32_561 - complete.card().num_rows == 2_399


@pytest.mark.parametrize(("colour", "num_rows"), [("red", 1_599), ("white", 4_898)])
def test_wine_quality(load_data, material, colour, num_rows):
    wine = load_data(material / "wine-quality" / f"{colour}.csv")
    card = wine.card()
    assert (card.task, card.num_rows, wine.classes) == ("regression", num_rows, ["quality"])
    assert len([column for column in card.columns if column["role"] == "number"]) == 11
    assert all(0 <= label <= 10 for part in wine.splits.values() for label in part.labels.ravel())


def test_sentence_polarity(load_data, material):
    card = load_data(material / "sentence-polarity").card()
    assert (card.task, card.modality, card.num_rows) == ("classification", "text", 10_662)
    assert [label["rows"] for label in card.classes] == [5_331, 5_331]


def test_clinc150(load_data, material):
    clinc = load_data(material / "clinc150")
    card = clinc.card()
    assert (card.task, card.modality, card.name) == ("classification", "text", "clinc150")
    assert card.rows == {"train": 15_100, "validation": 3_100, "test": 5_500} and card.num_rows == 23_700
    in_scope = [label for label in card.classes if label["name"] != "oos"]
    assert len(in_scope) == 150
    assert {(label["train"], label["validation"], label["test"]) for label in in_scope} == {(100, 20, 30)}
    scope = next(label for label in card.classes if label["name"] == "oos")
    assert (scope["train"], scope["validation"], scope["test"]) == (100, 100, 1_000)


def test_names_by_nationality(load_data, material):
    names = load_data(material / "names-by-nationality")
    card = names.card()
    assert (card.task, card.modality, card.num_rows) == ("classification", "text", 20_050)
    rows = {label["name"]: label["rows"] for label in card.classes}
    assert len(rows) == 18 and max(rows, key=rows.get) == "Russian" and min(rows, key=rows.get) == "Vietnamese"
    assert names.preparation.tokenizer.level == "characters"
    assert "imbalance" in {warning["kind"] for warning in card.warnings}


def test_tiny_shakespeare(load_data, material):
    corpus = load_data(material / "tiny-shakespeare", test_fraction=0.0)
    card = corpus.card()
    assert (card.task, card.modality, card.name) == ("language", "text", "tiny-shakespeare")
    assert card.details["num_characters"] == 1_115_394 and card.details["num_different_characters"] == 65
    train, validation = (corpus.splits[name].inputs for name in ("train", "validation"))
    assert isinstance(train, Windows) and int(train.starts.max()) < round(0.9 * 1_115_394) <= int(
        validation.starts.min()
    )
    text = (material / "tiny-shakespeare" / "input.txt").read_text("ascii")
    again = Preparation.from_dict(json.loads(json.dumps(corpus.preparation.to_dict())))
    for row in (0, len(validation) - 1):
        start = int(validation.starts[row])
        sent = again.from_raw([text[start : start + 128]])
        assert sent.tobytes() == corpus.preparation.apply(validation[row]).tobytes()
        assert corpus.raw_sample("validation", row) == text[start : start + 128]


def test_movietweetings(load_data, material):
    tweets = load_data(material / "movietweetings-100k")
    card = tweets.card()
    assert (card.task, card.modality, card.num_rows) == ("rating", "interactions", 100_000)
    assert (card.details["all_users"], card.details["all_items"]) == (16_554, 10_506)
    labels = np.concatenate([part.labels for part in tweets.splits.values()])
    assert abs(float(labels.mean()) - 7.33) < 0.01 and (labels.min(), labels.max()) == (0, 10)
    assert card.samples[0]["values"]["item"].startswith(("0", "1", "2"))
    items = set(tweets.preparation.items)
    assert any(item.startswith("0") for item in items), "the zeros before an IMDb number are part of it"


def test_ratings_go_to_the_network_as_training_had_them(store, material):
    tweets = load(DataSpec(name=str(material / "movietweetings-100k" / "ratings.dat")), store)
    again = Preparation.from_dict(json.loads(json.dumps(tweets.preparation.to_dict())))
    part = tweets.splits["test"]
    sent = json.loads(json.dumps([tweets.raw_sample("test", row) for row in range(300)]))
    prepared = again.from_raw(sent)
    assert prepared.dtype == np.int64 and prepared.tobytes() == tweets.preparation.apply(part.inputs[:300]).tobytes()
    unknown = again.from_raw([{"user": "nobody", "item": "nothing"}, ["1", "0111161"]])
    assert unknown[0].tolist() == [0, 0] and unknown.max() < max(tweets.problem.num_users, tweets.problem.num_items)
