"""What a cut network is made of, without processes: weights that come later, who gathers them, and when it is cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from lepton_lab.models.registry import build
from lepton_lab.scaling import whether
from lepton_lab.scaling.cut_muon import CutMuon
from lepton_lab.scaling.deferred import Sketch
from lepton_lab.scaling.units import units_of
from lepton_lab.scaling.whether import bytes_of_weights, reason_to_cut
from lepton_lab.specs import ModelSpec, Problem, TrainSpec
from lepton_lab.training.muon import Muon

PICTURES = Problem("classification", "image", (3, 16, 16), (10,))
TEXTS = Problem("classification", "text", (20, 5), (3,), vocabulary=4000, letter_groups=3000, has_lengths=True)
TABLE = Problem("classification", "table", (6,), (3,), cardinalities=(4, 5))
WRITING = Problem("language", "text", (20,), (20, 100), vocabulary=100)
BOXES = Problem("detection", "image", (3, 64, 64), (3,))
SOUNDS = Problem("classification", "audio", (1, 40, 64), (3,))
OWN = Problem("classification", "table", (200,), (200,))


class Shared(nn.Module):
    """One matrix that two layers use, and a layer that is not called itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(200, 200), nn.Linear(200, 200), nn.Linear(200, 200)
        self.second.weight = self.first.weight
        self.apply(self._begin)

    @staticmethod
    def _begin(part: nn.Module) -> None:
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)

    def forward(self, rows: Tensor) -> Tensor:
        return self.second(self.first(rows)) @ self.third.weight


def names_of(units: list[nn.Module], module: nn.Module) -> set[str]:
    names = {part: name for name, part in module.named_modules()}
    return {names[unit] for unit in units}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("cnn", PICTURES), ("resnet", PICTURES), ("detector", BOXES), ("transformer", TEXTS), ("rnn", TEXTS),
        ("mlp", TABLE), ("table_resnet", TABLE), ("language", WRITING), ("crnn", SOUNDS), ("own", OWN),
    ],
)  # fmt: skip
def test_weights_that_are_made_later_are_those_that_would_have_been(name: str, problem: Problem) -> None:
    def make() -> nn.Module:
        return Shared() if name == "own" else build(ModelSpec(name=name), problem)

    torch.manual_seed(3)
    whole, chance = make(), torch.rand(3)
    torch.manual_seed(3)
    sketch = Sketch(make)
    assert all(each.is_meta for each in sketch.module.state_dict().values())
    later: dict[str, Tensor] = {}
    sketch.make(lambda name, tensor: later.update({name: tensor.clone()}))
    assert torch.equal(torch.rand(3), chance)
    named = {**dict(whole.named_parameters()), **dict(whole.named_buffers())}
    assert named.keys() == later.keys()
    assert all(torch.equal(later[name], tensor) for name, tensor in named.items())


def test_no_more_than_one_large_weight_is_there_at_a_time() -> None:
    """Though all of them are drawn twice, the second time when the network is built."""
    sketch = Sketch(lambda: nn.Sequential(*(nn.Linear(64, 64) for _ in range(8))).apply(Shared._begin))
    drawn: list[str] = []
    sketch.make(lambda name, _: drawn.append(name))
    assert len(drawn) == 16
    assert [name for name in drawn if "weight" in name] == [f"{place}.weight" for place in range(8)]


def test_a_layer_gathers_what_nobody_needs_at_another_time() -> None:
    sketch = Sketch(Shared)
    assert names_of(units_of(sketch.module, OWN), sketch.module) == {""}
    plain = Sketch(lambda: nn.Sequential(nn.Linear(200, 200), nn.Linear(200, 3)))
    assert names_of(units_of(plain.module, OWN), plain.module) == {"0", ""}


def test_muon_turns_a_matrix_that_comes_together_as_any_other() -> None:
    """In a team of one; `test_cut` has real ones."""
    team: Any = SimpleNamespace(rank=0, size=1, bring=lambda part, _: [part], deal=lambda _, parts, __: parts[0])
    torch.manual_seed(0)
    ours = [torch.randn(6, 4), torch.randn(5), torch.randn(3, 2, 2), torch.randn(3, 6)]
    theirs = [each.clone().requires_grad_() for each in ours]
    ours = [each.requires_grad_() for each in ours]
    rows = [len(each) for each in ours]
    cut = CutMuon(ours, 0.01, edges=ours[-1:], num_rows=rows, team=team)
    whole = Muon(theirs, 0.01, edges=theirs[-1:])
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad, other.grad = mine.detach().clone(), mine.detach().clone()
        cut.step(0.1)
        whole.step(0.1)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_a_network_is_cut_where_whole_copies_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    team: Any = SimpleNamespace(rank=0, size=2, is_one_host=True)
    model = ModelSpec(name="mlp", options={"hidden": 1000, "layers": 3})
    weights, asked = bytes_of_weights(model, OWN), (model, OWN, team, "cpu")
    assert weights == sum(p.numel() * 4 for p in build(model, OWN).parameters())
    monkeypatch.setattr(whether, "free_bytes", lambda: 0)
    assert reason_to_cut(TrainSpec(devices=2), *asked) is None  # a small network is not what the memory is full of
    monkeypatch.setattr(whether, "LEAST_BYTES", weights)
    monkeypatch.setattr(whether, "free_bytes", lambda: 2 * 5 * weights)
    assert reason_to_cut(TrainSpec(devices=2), *asked) is None
    monkeypatch.setattr(whether, "free_bytes", lambda: 2 * 5 * weights - 1)
    said = reason_to_cut(TrainSpec(devices=2), *asked)
    assert said is not None and said.startswith("training 2 whole copies takes ")
    assert reason_to_cut(TrainSpec(devices=2, optimizer="sgd"), *asked) is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "add devices=2"),
        ({"devices": 2, "find_learning_rate": True}, "give a learning_rate"),
    ],
)
def test_what_a_cut_network_cannot_do_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TrainSpec(shard="always", **options)
