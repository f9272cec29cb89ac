"""AdamW, Adam, SGD and Muon, all parameters in one call.

They compute what `torch.optim` computes (tests compare the two), without its constructor, which imports the whole
compiler (`torch._dynamo`, one to two CPU seconds) before the first step. Where torch has a fused kernel for a
device, one call updates everything in one pass; elsewhere `torch._foreach_*` works on the list of tensors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MOMENTUM = 0.9


class Group:
    """Parameters that share a weight decay, and the optimizer's tensors beside each."""

    def __init__(self, parameters: list[torch.Tensor], weight_decay: float, num_slots: int) -> None:
        self.parameters = parameters
        self.weight_decay = weight_decay
        self.slots = [[torch.zeros_like(p) for p in parameters] for _ in range(num_slots)]

    def ready(self) -> tuple[list[torch.Tensor], list[torch.Tensor], list[list[torch.Tensor]]]:
        """Parameters that have a gradient, these gradients, and the slots beside them."""
        gradients = [p.grad for p in self.parameters]
        if not any(g is None for g in gradients):
            return self.parameters, gradients, self.slots  # type: ignore[return-value]
        kept = [i for i, gradient in enumerate(gradients) if gradient is not None]
        return (
            [self.parameters[i] for i in kept],
            [gradients[i] for i in kept],  # type: ignore[misc]
            [[slot[i] for i in kept] for slot in self.slots],
        )


class Optimizer:
    """Base: two groups of parameters, of which only matrices and kernels decay, never biases and norms.

    Args:
        parameters: What training moves; a parameter without a gradient is left as it is in that step.
        weight_decay: Pull of the matrices towards zero.
        fused: Use torch's fused kernel where there is one; False keeps the plain path.
    """

    num_slots = 0
    can_move = False
    """Whether the fused kernel takes everything from tensors; see `move`."""

    def __init__(self, parameters: Iterable[torch.Tensor], weight_decay: float, *, fused: bool = True) -> None:
        moved = [p for p in parameters if p.requires_grad]
        matrices, vectors = [p for p in moved if p.ndim >= 2], [p for p in moved if p.ndim < 2]
        groups = [Group(matrices, weight_decay, self.num_slots), Group(vectors, 0.0, self.num_slots)]
        self.groups = [group for group in groups if group.parameters]
        self.parameters = [p for group in self.groups for p in group.parameters]
        self.num_steps = 0
        self._step: torch.Tensor
        self.fused = fused and self.has_fused(moved)

    @staticmethod
    def has_fused(parameters: list[torch.Tensor]) -> bool:
        """Whether this torch has a fused kernel for these parameters."""
        return False

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update from the gradients that are there."""
        self.num_steps += 1
        self._prepare()
        for group in self.groups:
            self._update(group, learning_rate)

    @torch.no_grad()
    def move(self, learning_rate: torch.Tensor, number: torch.Tensor) -> None:
        """As `step`, from numbers () on the device, so that a CUDA graph can hold it; needs the fused kernel.

        Args:
            learning_rate: Step length.
            number: The number of this step, from 1; `num_steps` is left as it is.
        """
        self._step = number
        for group in self.groups:
            self._update(group, learning_rate)

    def _prepare(self) -> None:
        """What all groups of a step share."""

    def _update(self, group: Group, learning_rate: Any) -> None:
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Drops the gradients, so that the next backward pass need not add to them."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """The optimizer's tensors by "group.slot.position", for a checkpoint; `num_steps` belongs to it."""
        return {
            f"{g}.{s}.{i}": tensor
            for g, group in enumerate(self.groups)
            for s, slot in enumerate(group.slots)
            for i, tensor in enumerate(slot)
        }

    @torch.no_grad()
    def load(self, tensors: dict[str, torch.Tensor], num_steps: int) -> None:
        """Takes back what `tensors` gave."""
        self.num_steps = num_steps
        for key, tensor in self.tensors().items():
            tensor.copy_(tensors[key])


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014, https://arxiv.org/abs/1412.6980); the decay is part of the gradient."""

    num_slots = 2
    can_move = True
    decoupled = False

    @staticmethod
    def has_fused(parameters: list[torch.Tensor]) -> bool:
        """Fused kernels exist for floats on CPU (torch 2.4 and newer) and CUDA, one device at a time."""
        devices = {p.device.type for p in parameters}
        dtypes = {p.dtype for p in parameters}
        return (
            hasattr(torch, "_fused_adamw_")
            and len(devices) == 1
            and devices <= {"cpu", "cuda"}
            and dtypes <= {torch.float32, torch.float64}
        )

    def _prepare(self) -> None:
        if self.fused:
            self._step = torch.full((), float(self.num_steps), device=self.parameters[0].device)

    def _update(self, group: Group, learning_rate: Any) -> None:
        parameters, gradients, (means, squares) = group.ready()
        if not parameters:
            return
        if self.fused:
            self._fused(parameters, gradients, means, squares, learning_rate, group.weight_decay)
        else:
            self._plain(parameters, gradients, means, squares, learning_rate, group.weight_decay)

    def _fused(
        self,
        parameters: list[torch.Tensor],
        gradients: list[torch.Tensor],
        means: list[torch.Tensor],
        squares: list[torch.Tensor],
        learning_rate: Any,
        weight_decay: float,
    ) -> None:
        kernel = torch._fused_adamw_ if self.decoupled else torch._fused_adam_
        kernel(
            parameters, gradients, means, squares, [], [self._step] * len(parameters),
            lr=learning_rate, beta1=BETA1, beta2=BETA2, weight_decay=weight_decay, eps=EPSILON,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def _plain(
        self,
        parameters: list[torch.Tensor],
        gradients: list[torch.Tensor],
        means: list[torch.Tensor],
        squares: list[torch.Tensor],
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        if weight_decay and self.decoupled:
            torch._foreach_mul_(parameters, 1 - learning_rate * weight_decay)
        elif weight_decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=weight_decay))
        torch._foreach_lerp_(means, gradients, 1 - BETA1)
        torch._foreach_mul_(squares, BETA2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETA2)
        scale = torch._foreach_sqrt(squares)
        torch._foreach_div_(scale, (1 - BETA2**self.num_steps) ** 0.5)
        torch._foreach_add_(scale, EPSILON)
        torch._foreach_addcdiv_(parameters, means, scale, -learning_rate / (1 - BETA1**self.num_steps))


class AdamW(Adam):
    """Adam with the decay apart from the gradient (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101)."""

    decoupled = True


class Sgd(Optimizer):
    """Gradient descent with Nesterov momentum (Sutskever et al. 2013); the decay is part of the gradient."""

    num_slots = 1
    can_move = True

    @staticmethod
    def has_fused(parameters: list[torch.Tensor]) -> bool:
        """As for Adam; torch 2.4 and newer."""
        return hasattr(torch, "_fused_sgd_") and Adam.has_fused(parameters)

    def _update(self, group: Group, learning_rate: Any) -> None:
        parameters, gradients, (velocities,) = group.ready()
        if not parameters:
            return
        if self.fused:
            torch._fused_sgd_(
                parameters, gradients, velocities, weight_decay=group.weight_decay, momentum=MOMENTUM,
                lr=learning_rate, dampening=0.0, nesterov=True, maximize=False, is_first_step=False,
            )  # fmt: skip
            return
        if group.weight_decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=group.weight_decay))
        torch._foreach_mul_(velocities, MOMENTUM)
        torch._foreach_add_(velocities, gradients)
        moves = torch._foreach_add(gradients, velocities, alpha=MOMENTUM)
        torch._foreach_add_(parameters, moves, alpha=-learning_rate)


OPTIMIZERS: dict[str, type[Optimizer]] = {"adamw": AdamW, "adam": Adam, "sgd": Sgd}
"""Optimizers by the name that `TrainSpec.optimizer` gives them; "muon" is in a file of its own."""
