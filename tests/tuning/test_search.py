"""What is searched: how a line and Python say it, what is refused, and what a trial's run is then."""

from __future__ import annotations

import pytest

from lepton_lab.errors import LeptonError
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec, TuneSpec
from lepton_lab.specs.search import apply, dimensions, require_known, search_text

BASE = RunSpec(data=DataSpec(name="digits"), model=ModelSpec(name="cnn"), train=TrainSpec(epochs=3))


def test_a_line_and_python_say_the_same():
    asked = {
        "learning_rate": (1e-4, 1e-1),
        "model_channels": (8, 64),
        "optimizer": ["adamw", "sgd"],
        "flip": [True, False],
    }
    line = "learning_rate=0.0001..0.1 model_channels=8..64 optimizer=adamw,sgd flip=true,false"
    assert search_text(asked) == line
    assert " ".join(str(each) for each in dimensions(line)) == line


def test_what_a_range_means_follows_from_the_option_and_the_ends():
    rate, width, smoothing = dimensions("learning-rate=1e-4..1e-1 model_channels=8..64 label_smoothing=0..0.2")
    assert rate.is_log and not rate.is_whole
    assert width.is_whole and not width.is_log
    assert not smoothing.is_whole and not smoothing.is_log


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("learning_rate", "expected NAME=LOW..HIGH or NAME=A,B,C"),
        ("learning_rat=1e-4..1", "Did you mean|No option of tune"),
        ("learning_rate=1e-4..1000", "learning_rate is 1000.0"),
        ("learning_rate=0.1..0.001", "the smaller one first"),
        ("learning_rate=a..b", "two numbers"),
        ("optimizer=adamw,sdg", "did you mean sgd"),
        ("optimizer=adamw optimizer=sgd", "searched twice"),
        ("model=cnn,resnett", "No model is called 'resnett'"),
        ("threads=1,2", "No option of tune is called 'threads'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_a_sentence(line, said):
    with pytest.raises(LeptonError, match=said):
        TuneSpec.parse({"search": line})


def test_an_option_that_the_network_does_not_have_is_refused():
    require_known(dimensions("model_channels=8..64"), BASE)
    with pytest.raises(LeptonError, match="Did you mean 'model_channels'"):
        require_known(dimensions("model_chanels=8..64"), BASE)
    require_known(dimensions("model=cnn,rnn model_hidden=8..64"), BASE)


def test_a_trial_is_the_base_with_its_values_in_place():
    run = apply(BASE, {"learning_rate": 0.01, "model_channels": 24, "data_normalize": "none", "batch_size": 64})
    assert (run.train.learning_rate, run.train.batch_size, run.train.epochs) == (0.01, 64, 3)
    assert run.model.options == {"channels": 24}
    assert run.data.normalize == "none"


def test_a_trial_with_another_network_takes_only_the_options_that_network_has():
    run = apply(BASE, {"model": "rnn", "model_channels": 24, "model_hidden": 32})
    assert run.model.name == "rnn"
    assert run.model.options == {"hidden": 32}
