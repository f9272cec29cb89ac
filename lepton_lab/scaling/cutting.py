"""A network of which each process holds a part: torch's FSDP2 (`fully_shard`), made without ever being there whole.

Each weight, its gradient and the optimizer's tensors beside it are cut along their first axis; a layer gathers its
weights for the time that it works. What trains are the parts themselves, as plain tensors: the optimizers go element by
element, so they need not know; Muon brings matrices together (`cut_muon.py`).
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.utils._pytree import tree_map_only

from lepton_lab.errors import ModelError, RunFailed
from lepton_lab.models.registry import build
from lepton_lab.scaling.cut_muon import CutMuon
from lepton_lab.scaling.deferred import Sketch
from lepton_lab.scaling.team import Collective
from lepton_lab.scaling.units import units_of
from lepton_lab.specs import ModelSpec, Problem
from lepton_lab.training.allocator import give_memory_back
from lepton_lab.training.checkpoints import Saved, Tensors, own_part, put, tensors_of
from lepton_lab.training.making import Making, does_not_fit
from lepton_lab.training.muon import edges_of
from lepton_lab.training.optimizers import OPTIMIZERS, Optimizer
from lepton_lab.training.plan import Plan

ON_PAPER_ERRORS = (
    fake_tensor.DataDependentOutputException,
    fake_tensor.DynamicOutputShapeException,
    fake_tensor.UnsupportedFakeTensorException,
    fake_tensor.UnsupportedOperatorException,
)
"""What torch raises where numbers are asked for that are not there yet."""


class Cutting(Making):
    """`Making` of a network that is cut over the ranks; all of them call the same methods in the same order.

    Args:
        team: The ranks, over torch's default process group.

    Attributes:
        num_rows: Length of each weight's first axis.
        moved: Names of the weights that move, in the network's order.
        parts: What this rank trains: its parts of these.
    """

    def __init__(self, team: Collective) -> None:
        self._team = team
        self._sketch: Sketch
        self._units: list[nn.Module] = []
        self.num_rows: dict[str, int] = {}
        self.moved: list[str] = []
        self.parts: list[Tensor] = []

    def network(self, spec: ModelSpec, problem: Problem, *, starts_anew: bool) -> nn.Module:
        """The network on paper.

        Raises:
            ModelError: It cannot be built, or cannot be cut.
        """
        try:
            self._sketch = Sketch(partial(build, spec, problem, starts_anew=starts_anew, tries=False))
            self._units = units_of(self._sketch.module, problem)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, ModelError) else error
            if isinstance(error, ModelError) and not isinstance(cause, ON_PAPER_ERRORS):
                raise
            what = f"{str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__}"
            raise ModelError(
                f"The network {spec.name!r} cannot be cut over processes, because it looks at numbers before there are "
                f"any ({what}); train it with shard=never."
            ) from error
        module = self._sketch.module
        scalars = [name for name, p in module.named_parameters() if p.ndim == 0]
        if scalars:
            raise ModelError(
                f"The weight {scalars[0]!r} is a single number without an axis to cut; train it with shard=never."
            )
        self.num_rows = {name: len(p) for name, p in module.named_parameters()}
        return module

    def put(self, module: nn.Module, device: torch.device) -> None:
        """Cuts the network and makes its tensors one after the other, of which this rank keeps its part."""
        give_memory_back()
        mesh = init_device_mesh(device.type, (self._team.size,))
        for unit in self._units:
            unit.register_forward_hook(_as_its_own)
            fully_shard(unit, mesh=mesh, reshard_after_forward=True)
        module.to_empty(device=device)
        for unit in module.modules():
            if isinstance(unit, FSDPModule):  # each rank's loss counts by its rows, so gradients are added up
                unit.set_gradient_divide_factor(1.0)
                unit.set_force_sum_reduction_for_comms(True)
        held = {name: own_part(each) for name, each in [*module.named_parameters(), *module.named_buffers()]}
        self._sketch.make(lambda name, whole: self._keep(held[name], name, whole))

    def _keep(self, part: Tensor, name: str, whole: Tensor) -> None:
        part.copy_(self.part_of(whole) if name in self.num_rows else whole)

    def part_of(self, whole: Tensor) -> Tensor:
        """This rank's rows of a tensor, as `fully_shard` deals them out."""
        share = -(-len(whole) // self._team.size)
        return whole[self._team.rank * share : (self._team.rank + 1) * share]

    def get_ready(self, module: Any, inputs: tuple[Any, ...], labels: Any) -> None:
        """As `Making.get_ready`; a network that sets weights there is refused."""
        try:
            super().get_ready(module, inputs, labels)
        except RuntimeError as error:
            if "DTensor" not in str(error):
                raise
            raise RunFailed(
                "The network sets weights by training rows, which it cannot where it is cut; "
                "train it with shard=never.",
                "error",
            ) from error

    def optimizer(self, module: nn.Module, plan: Plan) -> Optimizer:
        """The optimizer of a plan, on this rank's parts."""
        self.moved = [name for name, p in module.named_parameters() if p.requires_grad]
        self.parts = [own_part(p).detach().requires_grad_() for p in module.parameters() if p.requires_grad]
        if plan.optimizer != "muon":
            return OPTIMIZERS[plan.optimizer](self.parts, plan.weight_decay)
        edges, moved = {id(p) for p in edges_of(module)}, [p for p in module.parameters() if p.requires_grad]
        outer = [part for p, part in zip(moved, self.parts, strict=True) if id(p) in edges]
        num_rows = [self.num_rows[name] for name in self.moved]
        return CutMuon(self.parts, plan.weight_decay, edges=outer, num_rows=num_rows, team=self._team)

    def own(self, saved: Saved) -> Saved:
        """This rank's parts of a checkpoint's tensors, read from its file when they are needed."""

        def of_network(tensors: Tensors | None) -> Tensors | None:
            if tensors is None:
                return None
            return {name: self.part_of(each) if name in self.num_rows else each for name, each in tensors.items()}

        model = of_network(saved.model)
        assert model is not None
        optimizer = {name: self.part_of(each) for name, each in saved.optimizer.items()}
        return Saved(model, optimizer, of_network(saved.best), of_network(saved.average), copy.copy(saved.state))

    def load(self, module: nn.Module, weights: Tensors) -> None:
        """As `Making.load`, from this rank's parts."""
        held = tensors_of(module)
        for name in sorted(held.keys() | weights.keys()):
            if name not in held or name not in weights or held[name].shape != weights[name].shape:
                raise does_not_fit(f"{name} is not the same in both.")
        put(module, weights)

    def whole(self, part: Tensor, num_rows: int) -> Tensor | None:
        """A tensor put together from all ranks' parts, in rank 0's memory; None in the others."""
        share = -(-num_rows // self._team.size)
        own = torch.zeros((share, *part.shape[1:]), dtype=part.dtype)
        own[: len(part)] = part
        if self._team.rank:
            self._team.bring(own)
            return None
        parts = self._team.bring(own)
        assert parts is not None
        return torch.cat(parts)[:num_rows]


def _as_its_own(_: nn.Module, __: Any, answer: Any) -> Any:
    """What a layer answers as tensors that are no views: else a change in place would hide from FSDP who made them."""
    return tree_map_only(Tensor, lambda each: each.clone() if each.requires_grad and each._is_view() else each, answer)
