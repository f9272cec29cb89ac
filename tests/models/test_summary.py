"""A network on paper: its layers, shapes, parameters and multiplications."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from lepton_lab.models.registry import build
from lepton_lab.models.summary import describe, summary
from lepton_lab.specs import ModelSpec
from tests.models.problems import classes


@pytest.mark.parametrize(
    ("name", "input_shape"),
    [("cnn", (1, 8, 8)), ("cnn", (3, 100, 100)), ("rnn", (1, 28, 28)), ("rnn", (12, 5)), ("mlp", (7,))],
)
def test_the_parameters_are_counted_right(name: str, input_shape: tuple[int, ...]) -> None:
    spec = ModelSpec(name=name)
    drawing = summary(spec, classes(input_shape, 10))
    module = build(spec, classes(input_shape, 10))
    count = sum(p.numel() for p in module.parameters())
    assert drawing.num_parameters == count == sum(layer.num_parameters for layer in drawing.layers)
    assert drawing.parameter_bytes == 4 * count
    assert drawing.layers[-1].output_shape == (10,)
    assert drawing.name == name and drawing.input_shape == input_shape


def test_layers_come_in_the_order_they_ran_with_shapes_without_the_batch() -> None:
    drawing = summary(ModelSpec(name="cnn", options={"channels": 4, "stages": 1}), classes((1, 8, 8), 3))
    kinds = [layer.kind for layer in drawing.layers]
    convolution, norm, relu = "Conv2d", "BatchNorm2d", "ReLU"
    assert kinds == ["Identity", convolution, "MaxPool2d", norm, relu, convolution, norm, relu, "Dropout", "Linear"]
    assert [layer.output_shape for layer in drawing.layers[1:3]] == [(4, 8, 8), (4, 4, 4)]
    assert drawing.layers[1].input_shape == (1, 8, 8)


def test_multiplications_are_those_of_one_row() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
    assert describe(module, classes((1, 8, 8)), name="small").num_macs == 6 * 6 * 4 * 9 + 4 * 6 * 6 * 5
    steps, features, hidden = 12, 5, 7
    sequence = nn.GRU(features, hidden, batch_first=True)
    assert describe(sequence, classes((steps, features)), name="gru").num_macs == steps * 3 * hidden * (
        features + hidden
    )


def test_members_of_a_table_share_the_hidden_layers_and_no_more() -> None:
    options = {"hidden": 16, "layers": 1, "steps": 0, "members": 4}
    drawing = summary(ModelSpec(name="mlp", options=options), classes((7,), 3))
    assert drawing.num_macs == 4 * (7 + 7 * 16 + 16 + 16 * 3) - 4 * 16
    assert drawing.layers[-1].output_shape == (3,) and drawing.layers[1].output_shape == (4, 7)


def test_describing_changes_neither_weights_nor_mode_nor_the_random_state() -> None:
    module = build(ModelSpec(name="cnn"), classes((1, 8, 8), 10)).train()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    describe(module, classes((1, 8, 8)), name="cnn")
    summary(ModelSpec(name="cnn"), classes((1, 8, 8), 10))
    assert torch.equal(torch.rand(3), expected)
    assert module.training
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_frozen_weights_do_not_count_and_a_layer_used_twice_is_counted_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.Linear(6, 6).requires_grad_(False)
            self.shared = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.shared(self.shared(self.frozen(x)))

    drawing = describe(Twice(), classes((6,)), name="twice")
    assert drawing.num_parameters == 42
    assert [layer.name for layer in drawing.layers] == ["frozen", "shared", "shared"]
    assert drawing.num_macs == 3 * 36


def test_it_is_json_and_text() -> None:
    drawing = summary(
        ModelSpec(name="mlp", options={"hidden": 16, "layers": 1, "steps": 0, "members": 1}), classes((7,), 3)
    )
    values = json.loads(json.dumps(drawing.to_dict()))
    assert values["num_parameters"] == drawing.num_parameters == 7 * 16 + 16 + 32 + 16 * 3 + 3
    assert values["layers"][1] == {
        "name": "hidden.0",
        "kind": "Linear",
        "num_parameters": 128,
        "input_shape": [7],
        "output_shape": [16],
        "num_macs": 112,
    }
    assert "hidden.0 (Linear)" in str(drawing) and "211 parameters, 160 multiplications a row" in str(drawing)
