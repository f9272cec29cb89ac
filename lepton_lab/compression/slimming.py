"""Structured pruning: whole channels and hidden units are taken out, so that what is left is a smaller dense network.

Which units matter is estimated from the gradient, after Molchanov et al. 2019, "Importance estimation for neural
network pruning" (https://arxiv.org/abs/1906.10771): the squared change of the loss, to first order, if the unit's
weights were zero. `channels` knows which units are tied.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import nn

from lepton_lab.compression.channels import FIXED, Channels, Layer
from lepton_lab.compression.material import Material
from lepton_lab.errors import ModelError

NUM_BATCHES = 12
BATCH_ROWS = 128
MULTIPLE = 4
"""Widths are rounded to multiples of this, which suits the vector units of a processor."""
SMALLEST_WIDTH = 4


def slim(network: nn.Module, material: Material, keep: float, seed: int = 0) -> nn.Module:
    """Takes out the units that matter least, in place; fine-tuning comes afterwards.

    Args:
        network: In evaluation mode.
        material: Rows to estimate on.
        keep: Share of the units of each layer that stays.
        seed: Seed of the rows.

    Raises:
        ModelError: If the network's channels cannot be followed, or all are fixed by its own code.
    """
    channels = Channels.of(network, material.rows.batch(torch.arange(2)).inputs)
    going = _going(channels, _scores(network, channels, material, seed), keep)
    fixed = channels.fixed_roots()
    if all(fixed.issuperset(map(channels.root, layer.made)) for layer in channels.layers):
        raise ModelError("No channel of this network can be taken out; its layers are fixed by its own code.")
    with torch.no_grad():
        for layer in channels.layers:
            _shrink(layer, channels, going)
    return network


def _scores(network: nn.Module, channels: Channels, material: Material, seed: int) -> dict[int, float]:
    """How much each unit matters, by its root."""
    order = torch.Generator().manual_seed(seed)
    totals: dict[str, torch.Tensor] = {}
    for _ in range(NUM_BATCHES):
        index = torch.randint(len(material), (min(BATCH_ROWS, len(material)),), generator=order)
        network.zero_grad()
        material.loss(network, index).backward()  # type: ignore[no-untyped-call]
        for layer in channels.layers:
            if layer.made:
                change = _change(layer)
                totals[layer.name] = totals.get(layer.name, torch.zeros_like(change)) + change.square()
    network.zero_grad(set_to_none=True)
    scores: dict[int, float] = defaultdict(float)
    for layer in channels.layers:
        if layer.made:
            shares = totals[layer.name] / totals[layer.name].sum().clamp_min(1e-30)
            for unit, share in zip(layer.made, shares.tolist(), strict=True):
                scores[channels.root(unit)] += share
    return scores


def _change(layer: Layer) -> torch.Tensor:
    """First-order change of the loss if each unit's weights were zero (U,)."""
    module = layer.module
    if isinstance(module, nn.LSTM | nn.GRU):
        gates = 4 if isinstance(module, nn.LSTM) else 3
        parts = [_products(weight).reshape(gates, module.hidden_size, -1).sum((0, 2)) for weight in module.parameters()]
        return torch.stack(parts).sum(0)
    weight = module.weight
    if not isinstance(weight, torch.Tensor):
        raise ModelError(f"The layer {layer.name} has no weights of its own.")
    products = _products(weight)
    if isinstance(module, nn.Embedding):
        return products.sum(0)
    return products.reshape(len(products), -1).sum(1)


def _products(weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.detach() * weight.grad


def _going(channels: Channels, scores: dict[int, float], keep: float) -> set[int]:
    """Roots of the units that are taken out: of each family of tied layers the same share."""
    fixed = channels.fixed_roots()
    families: dict[frozenset[int], None] = {}
    for layer in channels.layers:
        if layer.made:
            families[frozenset(channels.root(unit) for unit in layer.made)] = None
    going: set[int] = set()
    for family in families:
        movable = sorted(family - fixed, key=lambda root: scores[root])
        wanted = max(SMALLEST_WIDTH, round(keep * len(family) / MULTIPLE) * MULTIPLE)
        going.update(movable[: max(0, len(family) - wanted)])
    return going


def _shrink(layer: Layer, channels: Channels, going: set[int]) -> None:
    """Cuts a layer's weights down to the units that stay."""
    made = _kept(layer.made, channels, going)
    taken = None if layer.taken is None else _kept(layer.taken, channels, going)
    module = layer.module
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        _cut(module, "weight", (made, taken))
        _cut(module, "bias", (made,))
        module.out_channels, module.in_channels = module.weight.shape[:2]
    elif isinstance(module, nn.Linear):
        _cut(module, "weight", (made, taken))
        _cut(module, "bias", (made,))
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Embedding):
        _cut(module, "weight", (None, made))
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.LSTM | nn.GRU):
        _shrink_recurrent(module, made, taken)
    else:
        _shrink_norm(module, taken)


def _shrink_recurrent(module: nn.LSTM | nn.GRU, made: torch.Tensor, taken: torch.Tensor | None) -> None:
    gates = 4 if isinstance(module, nn.LSTM) else 3
    rows = torch.cat([made + gate * module.hidden_size for gate in range(gates)])
    for name in [name for name, _ in module.named_parameters()]:
        columns = made if "weight_hh" in name else taken if "weight_ih" in name else None
        _cut(module, name, (rows, columns))
    module.hidden_size = len(made)
    if taken is not None:
        module.input_size = len(taken)
    module.flatten_parameters()


def _shrink_norm(module: nn.Module, kept: torch.Tensor | None) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        _cut(module, name, (kept,))
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and kept is not None:
        module.num_features = len(kept)
    if isinstance(module, nn.LayerNorm) and kept is not None:
        module.normalized_shape = (len(kept),)


def _kept(units: tuple[int, ...], channels: Channels, going: set[int]) -> torch.Tensor:
    """Positions of the units that stay."""
    return torch.tensor([at for at, unit in enumerate(units) if unit == FIXED or channels.root(unit) not in going])


def _cut(module: nn.Module, name: str, keep: tuple[torch.Tensor | None, ...]) -> None:
    """Replaces a parameter or buffer by the part of it that stays, axis by axis."""
    tensor = getattr(module, name, None)
    if tensor is None:
        return
    cut = tensor.detach()
    for axis, index in enumerate(keep[: cut.ndim]):
        if index is not None:
            cut = cut.index_select(axis, index)
    if isinstance(tensor, nn.Parameter):
        setattr(module, name, nn.Parameter(cut.contiguous()))
    else:
        setattr(module, name, cut.contiguous())
