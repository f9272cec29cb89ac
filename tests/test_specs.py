"""What a person relies on when an option is wrong: one sentence, the nearest known name, nothing built."""

from __future__ import annotations

import pytest

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.specs import DataSpec, DeploySpec, ModelSpec, TrainSpec


def test_defaults_are_not_repeated_in_the_record():
    assert TrainSpec(epochs=3).given() == {"epochs": 3}
    assert ModelSpec.parse({"name": "rnn", "options": {"cell": "gru"}}).given() == {
        "name": "rnn",
        "options": {"cell": "gru"},
    }


@pytest.mark.parametrize(
    ("spec", "values", "said"),
    [
        (TrainSpec, {"epochs": 0}, "epochs is 0"),
        (TrainSpec, {"optimizer": "adm"}, "did you mean adam?"),
        (TrainSpec, {"learning_rate": float("nan")}, "learning_rate"),
        (DeploySpec, {"name": "a/b"}, "name is 'a/b'"),
        (DeploySpec, {"host": "0.0.0.0"}, "--allow-remote"),
        (DataSpec, {"validation_fraction": 0.5, "test_fraction": 0.5}, "leave at least 0.05"),
        (ModelSpec, {"name": "mine", "source": "class Net: ..."}, "class_name is missing"),
    ],
)
def test_a_wrong_value_is_said_in_one_sentence(spec, values, said):
    with pytest.raises(SpecError) as caught:
        spec.parse(values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "values", "near"),
    [
        (TrainSpec, {"epoch": 3}, "'epochs'"),
        (ModelSpec, {"name": "cnm"}, "'cnn'"),
        (ModelSpec, {"name": "cnn", "options": {"chanels": 8}}, "'channels'"),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(spec, values, near):
    with pytest.raises(SpecError, match="Did you mean") as caught:
        spec.parse(values)
    assert near in str(caught.value)


def test_unknown_name_lists_what_exists():
    assert "Known: cnn, rnn." in str(UnknownName("model", "xyzzy", ["rnn", "cnn"]))
    assert "There is no run yet." in str(UnknownName("run", "a", []))
