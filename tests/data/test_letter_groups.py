"""Words that training never saw are read by their letters: the same numbers in training and in the server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lepton_lab.data import Preparation, load
from lepton_lab.data.letter_groups import LetterGroups
from lepton_lab.data.rows import Ragged
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec

WORDS = ("booking", "book", "flight", "flights", "cancel", "cancelled")


def written(folder: Path) -> str:
    """A file of short texts in which each word stands in many rows."""
    rng = np.random.default_rng(0)
    lines = [f"{' '.join(rng.choice(WORDS, 4))},{'yes' if row % 2 else 'no'}" for row in range(80)]
    (folder / "asked.csv").write_text("text,label\n" + "\n".join(lines))
    return str(folder / "asked.csv")


def test_an_unknown_word_shares_the_groups_of_a_known_one(store, tmp_path):
    dataset = load(DataSpec(name=written(tmp_path)), store)
    preparation, problem = dataset.preparation, dataset.problem
    assert problem.letter_groups == 501 and problem.input_shape[1:] == (24,)
    [known], [unknown] = (preparation.read([text]) for text in ("cancelled", "Cancelling"))
    assert known[0, 0] > 1 and unknown[0, 0] == 1
    shared = set(known[0, 1:].tolist()) & set(unknown[0, 1:].tolist()) - {0}
    assert len(shared) >= 9  # <ca can anc nce cel ell, and longer ones
    assert 0 < unknown[0, 1:].max() <= 500


def test_there_are_as_many_numbers_as_groups_within_limits():
    assert LetterGroups.fitting(["book"]).num_different == 500
    assert LetterGroups.fitting([f"w{number:05d}" for number in range(900)]).num_different in range(501, 8_000)
    assert LetterGroups.fitting([f"w{number * 7919:07d}" for number in range(5_000)]).num_different == 8_000


def test_a_sentence_gives_the_bits_that_training_saw(store, tmp_path):
    dataset = load(DataSpec(name=written(tmp_path)), store)
    again = Preparation.from_dict(json.loads(json.dumps(dataset.preparation.to_dict())))
    part = dataset.splits["train"]
    rows = np.arange(len(part))
    inputs, lengths = again.from_raw([dataset.raw_sample("train", int(row)) for row in rows])
    stored = Ragged(dataset.preparation.apply(part.inputs.values), part.inputs.offsets)
    assert inputs.dtype == np.int64 and inputs.tobytes() == stored.padded(rows).tobytes()
    assert np.array_equal(lengths, stored.lengths)


def test_odd_texts_have_a_token_and_its_groups_for_each_word(store, tmp_path):
    preparation = load(DataSpec(name=written(tmp_path)), store).preparation
    texts = ["", " ", "a", "n\u0303", "book" * 100, "book, flight!", "\u4e16\u754c", "\U0001f600 ok", "x" * 70 + " y"]
    read = preparation.read(texts)
    assert read.values.shape == (read.offsets[-1], 24)
    alone = [preparation.read([text]).values.tobytes() for text in texts]
    assert [read[row].tobytes() for row in range(len(texts))] == alone


def test_words_alone_where_that_is_asked_for(store, tmp_path):
    source = written(tmp_path)
    plain = load(DataSpec(name=source, letter_groups="off"), store)
    assert plain.problem.letter_groups == 0 and plain.splits["train"].inputs.values.ndim == 1
    assert plain.fingerprint != load(DataSpec(name=source), store).fingerprint
    with pytest.raises(SpecError, match="letter_groups are of words, and tokens are bpe"):
        load(DataSpec(name=source, letter_groups="on", tokenizer="bpe"), store)


def test_a_bundle_with_strange_groups_is_refused():
    values = LetterGroups().to_dict()
    for name, value in (("num_different", 0), ("shortest", 9), ("most", 0), ("most", 10**9)):
        with pytest.raises(ValueError, match="groups of letters"):
            LetterGroups.from_dict({**values, name: value})
    tokens = {"level": "characters", "vocabulary": ["a"], "merges": []}
    said = {"kind": "text", "tokenizer": tokens, "max_length": 4, "fields": ["text"], "letter_groups": values}
    with pytest.raises(DataError, match="no words, and yet"):
        Preparation.from_dict(said)
