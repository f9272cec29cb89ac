"""The own optimizers compute what torch.optim computes, fused or not."""

from __future__ import annotations

import pytest
import torch

from lepton_lab.training.optimizers import MOMENTUM, OPTIMIZERS

SHAPES = [(4, 3), (4,), (2, 3, 3, 3), ()]
WEIGHT_DECAY = 0.02


def reference(name: str, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM, nesterov=True)
    return {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[name](groups, lr=1.0)


def make_parameters(seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in SHAPES]


def set_gradients(parameters: list[torch.Tensor], step: int, skip: int | None = None) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for position, parameter in enumerate(parameters):
        gradient = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.grad = None if position == skip else gradient


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_equals_torch_optim(name: str, fused: bool) -> None:
    ours, theirs = make_parameters(), make_parameters()
    optimizer = OPTIMIZERS[name](ours, WEIGHT_DECAY, fused=fused)
    expected = reference(name, theirs)
    for step in range(20):
        learning_rate = 0.1 / (1 + step)
        for group in expected.param_groups:
            group["lr"] = learning_rate
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step(learning_rate)
        expected.step()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["adamw", "adam"])
def test_fused_path_is_taken_on_cpu_and_equals_the_plain_one(name: str) -> None:
    fused_parameters, plain_parameters = (
        [p.detach().float().requires_grad_() for p in make_parameters()] for _ in "ab"
    )
    fused = OPTIMIZERS[name](fused_parameters, WEIGHT_DECAY)
    plain = OPTIMIZERS[name](plain_parameters, WEIGHT_DECAY, fused=False)
    assert fused.fused and not plain.fused
    for step in range(10):
        for parameters, optimizer in ((fused_parameters, fused), (plain_parameters, plain)):
            generator = torch.Generator().manual_seed(step)
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step(0.01)
    for one, other in zip(fused_parameters, plain_parameters, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_goes_on_from_saved_tensors_bit_by_bit(name: str) -> None:
    whole, halves = make_parameters(), make_parameters()
    optimizer, first = OPTIMIZERS[name](whole, WEIGHT_DECAY), OPTIMIZERS[name](halves, WEIGHT_DECAY)
    for step in range(8):
        if step == 4:
            saved, num_steps = {key: tensor.clone() for key, tensor in first.tensors().items()}, first.num_steps
            first = OPTIMIZERS[name](halves, WEIGHT_DECAY)
            first.load(saved, num_steps)
        for parameters, each in ((whole, optimizer), (halves, first)):
            set_gradients(parameters, step)
            each.step(0.05)
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameter_without_gradient_stays(name: str) -> None:
    parameters = make_parameters()
    before = [p.detach().clone() for p in parameters]
    optimizer = OPTIMIZERS[name](parameters, WEIGHT_DECAY)
    set_gradients(parameters, 0, skip=0)
    optimizer.step(0.1)
    assert torch.equal(parameters[0], before[0])
    assert not any(torch.equal(p, b) for p, b in zip(parameters[1:], before[1:], strict=True))


def test_frozen_parameters_are_left_out() -> None:
    parameters = make_parameters()
    parameters[0].requires_grad_(False)
    assert len(OPTIMIZERS["adamw"](parameters, WEIGHT_DECAY).parameters) == len(SHAPES) - 1
