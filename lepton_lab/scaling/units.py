"""Which layers of a network gather the weights that lie with all processes: found out by made-up rows on paper.

A layer can gather a weight for the time that it works, if nobody needs the weight at any other time. Networks keep to
that mostly, not always: one layer uses another one's matrix, or two share one. So each use of a weight is looked at, in
a pass as in training and one as in validation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lepton_lab.models.check import NUM_ROWS
from lepton_lab.models.probe import probe
from lepton_lab.specs import Problem

LEAST_NUMBERS = 1 << 14
"""Layers with fewer numbers leave them to a layer around them: each gathering costs some time."""


class _Uses(TorchDispatchMode):
    """Notes for each weight which layers were at work in all its uses."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._names = {p.untyped_storage()._cdata: name for name, p in module.named_parameters()}
        self.at_work: list[nn.Module] = []
        self.always: dict[str, set[nn.Module]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for each in tree_leaves((args, kwargs)):
            name = self._names.get(each.untyped_storage()._cdata) if isinstance(each, Tensor) else None
            if name is not None:
                self.always[name] = self.always.get(name, set(self.at_work)) & set(self.at_work)
        return func(*args, **(kwargs or {}))


def units_of(module: nn.Module, problem: Problem) -> list[nn.Module]:
    """The layers that are to gather weights, inner ones first, the network itself last.

    Args:
        module: On the meta device.
        problem: What its rows are.

    Raises:
        Exception: What the network raises when it is given rows without numbers.
    """
    uses = _Uses(module)

    def enter(part: nn.Module, _: Any) -> None:
        uses.at_work.append(part)

    def leave(*_: Any) -> None:
        uses.at_work.pop()

    handles = []
    for part in module.modules():
        handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave, always_call=True)]
    rows = tuple(each.to("meta") for each in probe(problem, NUM_ROWS))
    was_training = module.training
    try:
        with uses, torch.no_grad():
            for mode in (True, False):
                module.train(mode)(*rows)
    finally:
        module.train(was_training)
        for handle in handles:
            handle.remove()
    return _chosen(module, uses.always)


def _chosen(module: nn.Module, always: dict[str, set[nn.Module]]) -> list[nn.Module]:
    names = {id(p): name for name, p in module.named_parameters()}
    taken: set[int] = set()
    units = []
    for part in reversed(list(module.modules())):  # children stand behind their parents
        own = {id(p): p for p in part.parameters() if id(p) not in taken}
        is_safe = all(part in always.get(names[id(p)], {part}) for p in part.parameters())
        if part is module or (is_safe and sum(p.numel() for p in own.values()) >= LEAST_NUMBERS):
            units.append(part)
            taken |= own.keys()
    return units
