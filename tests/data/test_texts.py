"""Texts: tokens from the training part alone, the same bits for a text of a request, a corpus as windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import Preparation, load
from lepton_lab.data.rows import Ragged, Windows
from lepton_lab.data.text_material import TextMaterial, language_material
from lepton_lab.data.tokens import fit_tokenizer
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


def raw_bits_equal(dataset, rows: int = 200) -> bool:
    """Whether raw texts, sent through JSON to a preparation from a bundle, give the stored rows' network input."""
    again = Preparation.from_dict(json.loads(json.dumps(dataset.preparation.to_dict())))
    for name, part in dataset.splits.items():
        numbers = np.arange(min(rows, len(part)))
        sent = json.loads(json.dumps([dataset.raw_sample(name, int(row)) for row in numbers]))
        inputs, lengths = again.from_raw(sent)
        stored = Ragged(dataset.preparation.apply(part.inputs.values), part.inputs.offsets)
        if not np.array_equal(lengths, stored.lengths[numbers]):
            return False
        if inputs.dtype != np.int64 or inputs.tobytes() != stored.padded(numbers).tobytes():
            return False
    return True


def test_sentence_polarity(store, material):
    dataset = load(DataSpec(name=str(material / "sentence-polarity" / "sentence_polarity.csv")), store)
    card = dataset.card().to_dict()
    assert card["num_rows"] == 10_662
    assert [(label["name"], label["rows"]) for label in card["classes"]] == [("0", 5331), ("1", 5331)]
    problem = dataset.problem
    assert (problem.task, problem.modality, problem.has_lengths) == ("classification", "text", True)
    assert problem.vocabulary == dataset.preparation.vocabulary > 5000
    assert problem.output_shape == (2,)
    train = dataset.splits["train"].inputs
    assert isinstance(train, Ragged) and train.values.dtype == np.int32
    assert card["samples"][0]["text"] and card["details"]["max_length"] == problem.input_shape[0]
    assert raw_bits_equal(dataset)


def test_the_vocabulary_comes_from_the_training_part_alone(store, tmp_path):
    texts = [f"common words here and word{row}" for row in range(60)]
    lines = [f"{text},{'ab'[row % 2]}" for row, text in enumerate(texts)]
    (tmp_path / "texts.csv").write_text("text,label\n" + "\n".join(lines), "utf-8")
    dataset = load(DataSpec(name=str(tmp_path / "texts.csv")), store)
    known = set(dataset.preparation.tokenizer.vocabulary)
    for name in ("validation", "test"):
        for row in dataset.splits[name].row_ids:
            assert f"word{row}" not in known
    for row in dataset.splits["train"].row_ids:
        assert f"word{row}" in known


@pytest.mark.parametrize("level", ["words", "bpe", "characters"])
def test_tokenizers_come_back_the_same_from_a_bundle(level):
    texts = ["The cat, sat.", "A dog ran!", "", "Über café \u2603", "the cat ran"]
    fitted = fit_tokenizer(texts, level)
    again = type(fitted).from_dict(json.loads(json.dumps(fitted.to_dict())))
    sent = [*texts, "a new snowman \u2604"]
    assert again.encode(sent).values.tobytes() == fitted.encode(sent).values.tobytes()
    assert fitted.encode([""]).lengths.tolist() == [1]
    if level != "words":
        assert fitted.decode(fitted.encode(["The cat ran"])[0]) == "The cat ran"


def test_characters_that_training_did_not_have_are_unknown():
    fitted = fit_tokenizer(["abc"], "characters")
    assert fitted.encode(["cbaz"]).values.tolist() == [4, 3, 2, 1]


def test_a_corpus_is_windows_that_keep_to_their_part():
    text = "abcdefghij" * 100
    spec = DataSpec(window=16, validation_fraction=0.1, test_fraction=0.2)
    corpus = language_material(text, spec, "It")
    parts = corpus.split(spec)
    assert isinstance(corpus.windows, Windows)
    for name, (begin, end) in {"train": (0, 720), "validation": (720, 800), "test": (800, 1000)}.items():
        for row in parts[name]:
            seen, next_ones = corpus.windows[int(row)], corpus.labels[int(row)]
            assert np.array_equal(seen[1:], next_ones[:-1])
            assert begin <= corpus.windows.starts[row] and corpus.windows.starts[row] + 17 <= end


def test_an_item_that_is_no_text_is_named():
    material = TextMaterial(["a"], np.zeros(3, np.int64), np.arange(3), texts=["one two", "two", "three"])
    preparation = material.fit(np.arange(3), DataSpec(tokenizer="words"))
    with pytest.raises(DataError, match="Item 1 is a int; expected a text"):
        preparation.from_raw(["one", 5])
    inputs, lengths = preparation.from_raw([{"text": "two three"}, "one"])
    assert inputs.shape == (2, 2, 24) and lengths.tolist() == [2, 1] and not inputs[1, 1].any()
    empty, none = preparation.from_raw([])
    assert empty.shape == (0, 1, 24) and none.shape == (0,)
    assert [tensor["name"] for tensor in preparation.signature()] == ["input", "lengths"]


def test_nothing_is_left_of_a_corpus_that_is_too_short(tmp_path: Path):
    with pytest.raises(DataError, match="more than one window of 128"):
        language_material("short", DataSpec(), "It")
