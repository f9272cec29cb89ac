"""How a network and its optimizer come to the device that trains them: here in one piece."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lepton_lab.errors import ModelError
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem
from lepton_lab.training.allocator import keep_freed_memory
from lepton_lab.training.checkpoints import Saved, Tensors
from lepton_lab.training.muon import Muon, edges_of
from lepton_lab.training.optimizers import OPTIMIZERS, Optimizer
from lepton_lab.training.plan import Plan


class Making:
    """A network in one piece; `scaling.cutting.Cutting` makes one of which each process holds a part."""

    def network(self, spec: ModelSpec, problem: Problem, *, starts_anew: bool) -> nn.Module:
        """The network that a spec asks for; see `models.registry.build`."""
        return build(spec, problem, starts_anew=starts_anew)

    def put(self, module: nn.Module, device: torch.device) -> None:
        """Brings a network to its device."""
        if device.type == "cpu":
            keep_freed_memory()
        module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def get_ready(self, module: Any, inputs: tuple[Any, ...], labels: Any) -> None:
        """Shows training rows to a network that asks for them."""
        module.get_ready(*inputs, labels)

    def optimizer(self, module: nn.Module, plan: Plan) -> Optimizer:
        """The optimizer of a plan, on a network's parameters."""
        return make_optimizer(module, plan)

    def own(self, saved: Saved) -> Saved:
        """What of a checkpoint is this process's."""
        return saved

    def load(self, module: nn.Module, weights: Tensors) -> None:
        """Puts a checkpoint's weights into a network.

        Raises:
            ModelError: They do not fit it.
        """
        try:
            module.load_state_dict(weights)
        except RuntimeError as error:
            said = str(error).partition("\n\t")[2].partition("\n")[0].strip() or str(error)
            raise does_not_fit(said) from error


def does_not_fit(how: str) -> ModelError:
    """The error of a checkpoint that is another network's."""
    return ModelError(
        f"The checkpoint's weights do not fit this network: {how} Fork it with the network's options as they were."
    )


def make_optimizer(module: nn.Module, plan: Plan) -> Optimizer:
    """The optimizer of a plan, on a network's parameters."""
    if plan.optimizer == "muon":
        return Muon(module.parameters(), plan.weight_decay, edges=edges_of(module))
    return OPTIMIZERS[plan.optimizer](module.parameters(), plan.weight_decay)
