"""A network of one's own, from its source: what works, and the sentence for each thing that does not."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import torch
from torch import nn

from lepton_lab.errors import ModelError
from lepton_lab.models.check import check
from lepton_lab.models.registry import build
from lepton_lab.models.summary import describe
from lepton_lab.specs import ModelSpec
from tests.models.problems import classes

GOOD = """
    class Net(nn.Module):
        def __init__(self, input_shape, num_classes, hidden=16):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(math.prod(input_shape), hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
            )

        def forward(self, x):
            return self.layers(x)
"""


def own(source: str, input_shape: tuple[int, ...] = (1, 8, 8), num_classes: int = 10, **options: Any) -> nn.Module:
    spec = ModelSpec(name="mine", source=textwrap.dedent(source), class_name="Net", options=options)
    return build(spec, classes(input_shape, num_classes))


def sentence(source: str, **options: Any) -> str:
    with pytest.raises(ModelError) as error:
        own(source, **options)
    return str(error.value)


def net(body: str, init: str = "self.layer = nn.Linear(64, 10)") -> str:
    """The source of a network with one line in `__init__` and one in `forward`."""
    return f"""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            {init}

        def forward(self, x):
            {body}
    """


def test_it_is_built_with_what_its_constructor_asks_for() -> None:
    module = own(GOOD, (3, 4, 4), 5, hidden=7)
    assert [part.out_features for part in module.modules() if isinstance(part, nn.Linear)] == [7, 5]
    assert module(torch.zeros(2, 3, 4, 4)).shape == (2, 5)


def test_a_source_may_import_and_define_what_it_needs() -> None:
    source = """
    from collections import OrderedDict
    import torch.nn.functional as functional

    WIDTH = 9

    def block():
        return nn.Linear(64, WIDTH)

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(OrderedDict(first=block()))

        def forward(self, x):
            return functional.relu(self.layers(x.flatten(1)))

    class Net(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.part = Part()
            self.head = nn.Linear(WIDTH, num_classes)

        def forward(self, x):
            return self.head(self.part(x))
    """
    assert own(source)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_layers_that_find_their_own_width_are_settled_by_the_check() -> None:
    module = own(
        net("return self.head(self.layer(x.flatten(1)))", "self.layer, self.head = nn.LazyLinear(5), nn.LazyLinear(10)")
    )
    drawing = describe(module, classes((1, 8, 8)), name="lazy")
    assert drawing.num_parameters == 64 * 5 + 5 + 5 * 10 + 10


def test_a_forward_that_needs_more_than_one_row_can_be_described() -> None:
    module = own(net("return self.layer(x.squeeze().flatten(1))"))
    assert describe(module, classes((1, 8, 8)), name="squeezing").num_macs == 640


def test_a_wrong_shape_is_told_layer_by_layer() -> None:
    source = """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)
            self.pool = nn.MaxPool2d(2)
            self.head = nn.Linear(100, 10)

        def forward(self, x):
            return self.head(self.pool(self.conv(x)).flatten(1))
    """
    said = sentence(source)
    assert "'Net' fails on a batch of shape (2, 1, 8, 8)" in said
    assert "mat1 and mat2 shapes cannot be multiplied (2x36 and 100x10)" in said
    assert "conv (Conv2d): (2, 1, 8, 8) -> (2, 4, 6, 6)" in said
    assert "pool (MaxPool2d): (2, 4, 6, 6) -> (2, 4, 3, 3)" in said
    assert "head (Linear): (2, 36) <- failed here" in said


def test_of_many_layers_the_last_dozen_is_shown() -> None:
    said = sentence(
        net(
            "return self.layers(x)",
            "self.layers = nn.Sequential(nn.Flatten(), *[nn.Linear(64, 64) for _ in range(30)], nn.Linear(3, 10))",
        )
    )
    assert "... 20 layers before" in said and said.count("\n") == 14
    assert said.endswith("layers.31 (Linear): (2, 64) <- failed here")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return self.layer(x.flatten(1))[:, :7]", "of shape (2, 7) for a batch of 2 rows; expected"),
        ("return self.layer(x.flatten(1)).argmax(1)", "returns torch.int64 of shape (2,)"),
        ("return self.layer(x.flatten(1)), x", "returns tuple; expected one tensor of class scores of shape (2, 10)"),
        ("self.layer(x.flatten(1))", "returns NoneType"),
        ("return self.layer(x.flatten(1)) / 0", "not finite before any training"),
        ("return self.layer(x.flatten(1)).detach()", "no gradient reaches its weights"),
        ("return self.layr(x)", "'Net' object has no attribute 'layr'"),
    ],
)
def test_what_it_returns_must_be_class_scores(body: str, said: str) -> None:
    assert said in sentence(net(body))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Net(nn.Module) pass", "(SyntaxError, line 1)"),
        ("x = 1\ny = x / 0\nclass Net(nn.Module): ...", "division by zero (ZeroDivisionError, line 2)"),
        ("import no_such_module_here", "No module named 'no_such_module_here'"),
        ("class Nett(nn.Module): ...", "Did you mean 'Nett'"),
        ("class Net: ...", "Net is no torch.nn.Module; write `class Net(nn.Module)`"),
        ("Net = 3", "Net is no torch.nn.Module"),
        ("class Net(nn.Module): ...", "no parameter to train"),
        (net("return x", "self.layer = nn.Linear(-1, 10)"), "Net() cannot be built"),
        (net("return x", "self.layer = nn.Linear(widht, 10)"), "name 'widht' is not defined (NameError, line 5)"),
    ],
)
def test_a_source_that_cannot_be_used_gets_a_sentence(source: str, said: str) -> None:
    assert said in sentence(source)


def test_options_are_held_against_the_constructor() -> None:
    assert "Did you mean 'hidden'" in sentence(GOOD, hiden=3)
    missing = GOOD.replace("hidden=16", "hidden, depth")
    assert "Net needs a value for hidden, depth" in sentence(missing)
    open_ended = GOOD.replace("hidden=16", "hidden=16, **rest")
    assert own(open_ended, anything=3) is not None


def test_an_error_of_the_source_can_be_read_in_a_traceback() -> None:
    module = own(GOOD)
    with pytest.raises(RuntimeError) as error:
        module(torch.zeros(2, 3))
    assert any(str(entry.path).startswith("<lepton_network_") for entry in error.traceback)
    assert any("return self.layers(x)" in str(entry.statement) for entry in error.traceback)


def test_the_check_leaves_network_and_random_state_alone() -> None:
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10)).eval()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    check(module, classes((1, 8, 8), 10))
    assert torch.equal(torch.rand(3), expected)
    assert not module.training and all(p.grad is None for p in module.parameters())
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())
