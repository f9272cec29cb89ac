"""Our optimizers move weights exactly as torch's do."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lepton_lab.training.optimizers import MOMENTUM, OPTIMIZERS

TORCH = {
    "adamw": lambda groups, rate: torch.optim.AdamW(groups, rate),
    "adam": lambda groups, rate: torch.optim.Adam(groups, rate),
    "sgd": lambda groups, rate: torch.optim.SGD(groups, rate, momentum=MOMENTUM, nesterov=True),
}


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def batches(count: int = 12) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(5)
    return [
        (torch.randn(8, 1, 6, 6, generator=generator), torch.randint(0, 3, (8,), generator=generator))
        for _ in range(count)
    ]


def rate_of(step: int) -> float:
    """A learning rate that moves, as a schedule's does."""
    return 0.01 / (1 + step)


def groups_of(module: nn.Module, weight_decay: float) -> list[dict]:
    parameters = list(module.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_weights_are_those_of_torch(name: str, weight_decay: float, fused: bool) -> None:
    ours, theirs = network(), network()
    optimizer = OPTIMIZERS[name](ours.parameters(), weight_decay, fused=fused)
    reference = TORCH[name](groups_of(theirs, weight_decay), 1.0)
    for step, (inputs, labels) in enumerate(batches()):
        cross_entropy(ours(inputs), labels).backward()
        optimizer.step(rate_of(step))
        optimizer.zero_grad()
        for group in reference.param_groups:
            group["lr"] = rate_of(step)
        reference.zero_grad()
        cross_entropy(theirs(inputs), labels).backward()
        reference.step()
    for (key, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, other, rtol=2e-5, atol=2e-6, msg=lambda said, key=key: f"{key}: {said}")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_that_was_saved_goes_on_bit_by_bit(name: str) -> None:
    module = network()
    optimizer = OPTIMIZERS[name](module.parameters(), 0.1)
    train(module, optimizer, batches()[:6], 0)
    twin = copy.deepcopy(module)
    other = OPTIMIZERS[name](twin.parameters(), 0.1)
    other.load({key: tensor.clone() for key, tensor in optimizer.tensors().items()}, optimizer.num_steps)
    train(module, optimizer, batches()[6:], 6)
    train(twin, other, batches()[6:], 6)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_a_gradient_stays_as_it_is(name: str) -> None:
    used, unused = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    frozen = nn.Parameter(torch.ones(3), requires_grad=False)
    optimizer = OPTIMIZERS[name]([used, unused, frozen], 0.1)
    used.sum().backward()
    optimizer.step(0.1)
    assert (used < 1).all()
    assert torch.equal(unused, torch.ones(2, 2)) and torch.equal(frozen, torch.ones(3))


def train(module: nn.Module, optimizer, some_batches, first_step: int) -> None:
    for step, (inputs, labels) in enumerate(some_batches, start=first_step):
        cross_entropy(module(inputs), labels).backward()
        optimizer.step(rate_of(step))
        optimizer.zero_grad()
