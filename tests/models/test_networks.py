"""The built-in networks: rows of every shape that the data room makes, and each option that a person can set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lepton_lab.errors import ModelError, SpecError, UnknownName
from lepton_lab.models.registry import NETWORKS, build
from lepton_lab.specs import MODEL_OPTIONS, ModelSpec, Problem
from lepton_lab.training.optimizers import Sgd
from tests.models.problems import classes

DIGITS, FASHION, PHOTOS = (1, 8, 8), (1, 28, 28), (3, 100, 100)
ODD, WIDE, TINY = (3, 101, 67), (1, 8, 90), (1, 1, 1)
SEQUENCE, TABLE = (12, 5), (7,)

FITS = [
    *(("cnn", shape) for shape in (DIGITS, FASHION, PHOTOS, ODD, WIDE, TINY)),
    *(("rnn", shape) for shape in (DIGITS, FASHION, PHOTOS, ODD, SEQUENCE)),
    *(("mlp", shape) for shape in (DIGITS, FASHION, PHOTOS, SEQUENCE, TABLE)),
]


def network(name: str, input_shape: tuple[int, ...], num_classes: int = 4, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    return build(ModelSpec(name=name, options=options), classes(input_shape, num_classes))


def layers(module: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [part for part in module.modules() if isinstance(part, kinds)]


@pytest.mark.parametrize(("name", "input_shape"), FITS)
def test_it_scores_rows_and_every_weight_gets_a_gradient(name: str, input_shape: tuple[int, ...]) -> None:
    module = network(name, input_shape)
    rows = torch.randn(5, *input_shape)
    scores = module.eval()(rows)
    assert scores.shape == (5, 4) and scores.dtype == torch.float32
    cross_entropy(scores, torch.arange(5) % 4).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())


@pytest.mark.parametrize(("name", "input_shape"), FITS)
def test_a_row_is_scored_alike_alone_and_in_a_batch(name: str, input_shape: tuple[int, ...]) -> None:
    module = network(name, input_shape).eval()
    rows = torch.randn(3, *input_shape)
    alone = torch.cat([module(row[None]) for row in rows])
    torch.testing.assert_close(alone, module(rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "input_shape"), [("cnn", DIGITS), ("rnn", SEQUENCE), ("mlp", TABLE)])
def test_the_seed_alone_decides_the_weights(name: str, input_shape: tuple[int, ...]) -> None:
    first, second = network(name, input_shape), network(name, input_shape)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(("name", "input_shape"), [("cnn", DIGITS), ("rnn", SEQUENCE), ("mlp", TABLE)])
def test_it_can_learn_a_handful_of_rows_by_heart(name: str, input_shape: tuple[int, ...]) -> None:
    alone = {"members": 1} if name == "mlp" else {}
    module = network(name, input_shape, dropout=0.0, **alone)
    rows, labels = torch.randn(8, *input_shape), torch.arange(8) % 4
    optimizer = Sgd(module.parameters(), weight_decay=0.0)
    for _ in range(60):
        cross_entropy(module(rows), labels).backward()
        optimizer.step(0.1)
        optimizer.zero_grad()
    assert module.eval()(rows).argmax(1).equal(labels)


def test_cnn_takes_its_options() -> None:
    module = network("cnn", FASHION, channels=12, stages=3, dropout=0.4)
    widths = [(part.in_channels, part.out_channels) for part in layers(module, nn.Conv2d)]
    assert widths == [(1, 12), (12, 12), (12, 24), (24, 24), (24, 48), (48, 48)]
    assert [part.p for part in layers(module, nn.Dropout)] == [0.4]


@pytest.mark.parametrize(
    ("modality", "shape", "stages"), [("image", DIGITS, 2), ("image", FASHION, 3), ("audio", (1, 16, 30), 3)]
)
def test_cnn_has_a_third_stage_where_there_are_many_pixels(modality: str, shape: tuple[int, ...], stages: int) -> None:
    problem = Problem("classification", modality, shape, (4,))
    assert ModelSpec(name="cnn").typed_options(problem).stages == stages
    assert ModelSpec(name="cnn", options={"stages": 1}).typed_options(problem).stages == 1
    wide = [part.out_channels for part in layers(build(ModelSpec(name="cnn"), problem), nn.Conv2d)]
    assert max(wide) == 32 * 2 ** (stages - 1)


@pytest.mark.parametrize("stages", [1, 2, 3, 4, 5])
def test_cnn_never_halves_a_picture_away(stages: int) -> None:
    assert network("cnn", DIGITS, stages=stages)(torch.randn(2, *DIGITS)).shape == (2, 4)


def test_cnn_sees_large_pictures_folded_to_about_32_pixels() -> None:
    module = network("cnn", PHOTOS)
    assert module.stem(torch.zeros(1, 3, 99, 99)).shape == (1, 27, 33, 33)


@pytest.mark.parametrize(("cell", "kind"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_rnn_takes_its_options(cell: str, kind: type[nn.RNNBase]) -> None:
    module = network("rnn", SEQUENCE, cell=cell, hidden=10, layers=3, bidirectional=False, dropout=0.2)
    (cells,) = layers(module, kind)
    assert (cells.input_size, cells.hidden_size, cells.num_layers) == (5, 10, 3)
    assert (cells.bidirectional, cells.dropout) == (False, 0.2)
    assert network("rnn", SEQUENCE, cell=cell, hidden=10)(torch.randn(2, *SEQUENCE)).shape == (2, 4)


def test_rnn_reads_a_picture_row_by_row() -> None:
    module = network("rnn", (3, 20, 10))
    (cells,) = layers(module, nn.LSTM)
    assert cells.input_size == 3 * 10
    seen: list[torch.Tensor] = []
    cells.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    picture = torch.randn(1, 3, 20, 10)
    module(picture)
    assert seen[0].shape == (1, 20, 30)
    assert torch.equal(seen[0][0, 7], picture[0, :, 7, :].flatten())


def test_mlp_takes_its_options() -> None:
    module = network("mlp", TABLE, hidden=16, layers=3, dropout=0.3, steps=0, members=1)
    assert [(x.in_features, x.out_features) for x in layers(module, nn.Linear)] == [
        (7, 16),
        (16, 16),
        (16, 16),
        (16, 4),
    ]
    assert [part.p for part in layers(module, nn.Dropout)] == [0.3] * 3


@pytest.mark.parametrize(
    ("name", "input_shape", "advice"),
    [
        ("cnn", TABLE, "Select mlp"),
        ("cnn", SEQUENCE, "Select cnn1d, rnn, transformer, tcn or mlp"),
        ("rnn", TABLE, "Select mlp"),
    ],
)
def test_rows_that_do_not_fit_get_advice(name: str, input_shape: tuple[int, ...], advice: str) -> None:
    with pytest.raises(ModelError, match=advice) as error:
        network(name, input_shape)
    assert str(input_shape) in str(error.value)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: ModelSpec.parse({"name": "cnm"}), "Did you mean .* or 'cnn'"),
        (lambda: ModelSpec.parse({"name": "cnn", "options": {"chanels": 8}}), "Did you mean 'channels'"),
        (lambda: ModelSpec.parse({"name": "rnn", "options": {"cell": "gruu"}}), "did you mean gru"),
        (lambda: ModelSpec.parse({"name": "mlp", "options": {"layers": 0}}), "layers is 0"),
    ],
)
def test_wrong_options_are_told_before_anything_is_built(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        ask()


def test_every_network_with_options_has_a_builder_and_names_its_learning_rates() -> None:
    assert set(NETWORKS) == set(MODEL_OPTIONS)
    assert all(set(network.learning_rates) == {"adamw", "adam", "sgd"} for network in NETWORKS.values())


def test_an_unknown_network_gets_the_nearest_name() -> None:
    spec = ModelSpec.model_construct(name="cnm", options={}, source=None, class_name=None)
    with pytest.raises(UnknownName, match="cnn"):
        build(spec, classes(DIGITS))
