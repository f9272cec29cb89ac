"""Which channels of a network belong together: followed through its graph from where they are made to where they go.

Every output channel of a convolution, a matrix, an embedding or a recurrent layer is a unit with a number. The graph
(`torch.fx`) is walked once; each value carries the numbers of the units along one of its axes. An addition ties units
of both sides, a concatenation lines them up, an operation that is not known here fixes its units: they stay.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from lepton_lab.errors import ModelError

FIXED = -1
"""Number of a channel that comes from outside: it always stays."""
_PASSING_LAYERS = (
    nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Dropout,
    nn.Dropout2d, nn.Identity, nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
_PASSING_CALLS = {
    "relu", "gelu", "silu", "sigmoid", "tanh", "dropout", "contiguous", "float", "max_pool2d", "avg_pool2d",
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "clamp", "hardtanh", "relu_",
}  # fmt: skip
_REDUCING_CALLS = {"mean", "amax", "amin", "sum"}
_TYING_CALLS = {"add", "mul", "sub", "iadd", "imul", "add_"}


@dataclass(frozen=True)
class Units:
    """The units along one axis of a value."""

    axis: int
    numbers: tuple[int, ...]


@dataclass
class Layer:
    """A layer whose weights follow from which units stay.

    Attributes:
        made: Units that it makes, in order; empty for a layer that only passes channels on (a norm).
        taken: Units that it takes in, in order; `None` where its input is to stay whole.
    """

    name: str
    module: nn.Module
    made: tuple[int, ...] = ()
    taken: tuple[int, ...] | None = None


@dataclass
class Channels:
    """The units of a network, which of them are tied, and the layers that hold them."""

    layers: list[Layer] = field(default_factory=list)
    num_units: int = 0
    _parents: list[int] = field(default_factory=list)
    _fixed: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, network: nn.Module, sample: tuple[torch.Tensor, ...]) -> Channels:
        """Follows the channels of a network.

        Args:
            network: In evaluation mode.
            sample: What it is called with, for two rows or more.

        Raises:
            ModelError: If its graph cannot be followed (control flow that depends on the data, a layer used twice).
        """
        try:
            blanks = {} if len(sample) > 1 else dict.fromkeys(_arguments(network)[1:])
            graph = fx.symbolic_trace(network, concrete_args=blanks or None)
            ShapeProp(graph).propagate(*sample)
        except Exception as error:  # tracing raises whatever the network's code raises
            first = (str(error).strip().splitlines() or [repr(error)])[0]
            raise ModelError(f"The network's channels cannot be followed: {first[:200]}") from None
        found = cls()
        _Walk(found, network).over(graph.graph)
        return found

    def make(self, count: int) -> tuple[int, ...]:
        """New units."""
        first = self.num_units
        self.num_units += count
        self._parents += range(first, self.num_units)
        return tuple(range(first, self.num_units))

    def root(self, unit: int) -> int:
        """The unit that stands for all that are tied to this one."""
        while self._parents[unit] != unit:
            self._parents[unit] = self._parents[self._parents[unit]]
            unit = self._parents[unit]
        return unit

    def tie(self, first: Iterable[int], second: Iterable[int]) -> None:
        """Pairs of units that stay or go together."""
        for one, other in zip(first, second, strict=True):
            if FIXED in (one, other):
                self.fix([one, other])
            else:
                self._parents[self.root(one)] = self.root(other)

    def fix(self, units: Iterable[int]) -> None:
        """Units that stay whatever comes."""
        self._fixed.update(unit for unit in units if unit != FIXED)

    def fixed_roots(self) -> set[int]:
        """Roots of all units that stay."""
        return {self.root(unit) for unit in self._fixed}


class _Walk:
    """One pass over a graph."""

    def __init__(self, channels: Channels, network: nn.Module) -> None:
        self._channels, self._network = channels, network
        self._units: dict[fx.Node, Units | None] = {}
        self._seen: set[str] = set()

    def over(self, graph: fx.Graph) -> None:
        """Visits all nodes in order."""
        for node in graph.nodes:
            self._units[node] = self._visit(node)

    def _visit(self, node: fx.Node) -> Units | None:
        if not node.users and node.op != "output":
            return None
        if node.op == "call_module":
            return self._layer(node, str(node.target), self._network.get_submodule(str(node.target)))
        if node.op in ("call_function", "call_method"):
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
            return self._call(node, str(name))
        if node.op == "output":
            self._fix_inputs(node)
        return None

    def _layer(self, node: fx.Node, name: str, module: nn.Module) -> Units | None:
        if isinstance(module, _PASSING_LAYERS):
            return self._first(node)
        if isinstance(module, nn.Flatten) and module.start_dim == 1 and module.end_dim == -1:
            return self._flattened(node)
        if next(module.parameters(), None) is not None and name in self._seen:
            raise ModelError(f"The network's channels cannot be followed: the layer {name} is used twice.")
        self._seen.add(name)
        if isinstance(module, nn.Conv1d | nn.Conv2d) and module.groups == 1:
            return self._making(node, name, module, 1, module.out_channels)
        if isinstance(module, nn.Linear):
            return self._making(node, name, module, _rank(node) - 1, module.out_features)
        if isinstance(module, nn.Embedding):
            units = self._channels.make(module.embedding_dim)
            self._channels.layers.append(Layer(name, module, units))
            return Units(_rank(node) - 1, units)
        if isinstance(module, nn.LSTM | nn.GRU) and module.num_layers == 1 and module.batch_first:
            return self._recurrent(node, name, module)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
            return self._passing_norm(node, name, module)
        return self._unknown(node)

    def _making(self, node: fx.Node, name: str, module: nn.Module, axis: int, count: int) -> Units:
        given, units = self._first(node), self._channels.make(count)
        source = node.all_input_nodes[0]
        right_axis = given is not None and given.axis == (1 if isinstance(module, nn.Conv1d | nn.Conv2d) else axis)
        if given is not None and not right_axis:
            self._channels.fix(given.numbers)
        taken = given.numbers if given is not None and right_axis and _rank(source) == _rank(node) else None
        self._channels.layers.append(Layer(name, module, units, taken))
        return Units(axis, units)

    def _recurrent(self, node: fx.Node, name: str, module: nn.LSTM | nn.GRU) -> Units | None:
        given = self._first(node)
        if len(node.all_input_nodes) > 1:
            return self._unknown(node)
        units = self._channels.make(module.hidden_size)
        taken = given.numbers if given is not None and given.axis == 2 else None
        if given is not None and taken is None:
            self._channels.fix(given.numbers)
        self._channels.layers.append(Layer(name, module, units, taken))
        return Units(2, units * (2 if module.bidirectional else 1))

    def _passing_norm(self, node: fx.Node, name: str, module: nn.Module) -> Units | None:
        given = self._first(node)
        if given is None:
            return None
        if isinstance(module, nn.LayerNorm) and (len(module.normalized_shape) > 1 or given.axis != _rank(node) - 1):
            return self._unknown(node)
        self._channels.layers.append(Layer(name, module, (), given.numbers))
        return given

    def _call(self, node: fx.Node, name: str) -> Units | None:
        given = self._first(node)
        if name in _PASSING_CALLS:
            return given
        if name in _TYING_CALLS:
            return self._tied(node)
        if name in _REDUCING_CALLS and given is not None:
            return self._reduced(node, given)
        if name == "cat":
            return self._joined(node)
        if name == "flatten" and (node.args[1:] or (node.kwargs.get("start_dim"),)) == (1,):
            return self._flattened(node)
        if node.target is operator.getitem and node.args[1] == 0 and self._is_recurrent(node.args[0]):
            return given
        return self._unknown(node)

    def _is_recurrent(self, source: Any) -> bool:
        """Whether a value is the pair of outputs and states that a recurrent layer returns."""
        if not isinstance(source, fx.Node) or source.op != "call_module":
            return False
        return isinstance(self._network.get_submodule(str(source.target)), nn.LSTM | nn.GRU)

    def _tied(self, node: fx.Node) -> Units | None:
        sides = [argument for argument in node.args if isinstance(argument, fx.Node)]
        if len(sides) == 1:
            return self._units[sides[0]]
        one, other = (self._units[side] for side in sides)
        if one is not None and other is not None and one.axis == other.axis and _shape(sides[0]) == _shape(sides[1]):
            self._channels.tie(one.numbers, other.numbers)
            return one
        return self._unknown(node)

    def _reduced(self, node: fx.Node, given: Units) -> Units | None:
        source = node.all_input_nodes[0]
        wanted = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        keeps = node.args[2] if len(node.args) > 2 else node.kwargs.get("keepdim", False)
        axes = wanted if isinstance(wanted, list | tuple) else (wanted,)
        if not all(isinstance(axis, int) for axis in axes):
            return self._unknown(node)
        reduced = {int(axis) % _rank(source) for axis in axes}
        if given.axis in reduced:
            return self._unknown(node)
        return given if keeps else Units(given.axis - sum(axis < given.axis for axis in reduced), given.numbers)

    def _joined(self, node: fx.Node) -> Units | None:
        parts = node.args[0]
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if not isinstance(parts, list | tuple) or not isinstance(axis, int):
            return self._unknown(node)
        axis %= _rank(node)
        numbers: tuple[int, ...] = ()
        for part in parts:
            value = part if isinstance(part, fx.Node) else None
            units = self._units[value] if value is not None else None
            if value is None or (units is not None and units.axis != axis):
                return self._unknown(node)
            numbers += units.numbers if units is not None else (FIXED,) * _shape(value)[axis]
        return Units(axis, numbers)

    def _flattened(self, node: fx.Node) -> Units | None:
        given, source = self._first(node), node.all_input_nodes[0]
        if given is None:
            return None
        if given.axis != 1:
            return self._unknown(node)
        spatial = math.prod(_shape(source)[2:])
        return Units(1, tuple(number for number in given.numbers for _ in range(spatial)))

    def _unknown(self, node: fx.Node) -> Units | None:
        self._fix_inputs(node)
        return None

    def _fix_inputs(self, node: fx.Node) -> None:
        for source in node.all_input_nodes:
            units = self._units.get(source)
            if units is not None:
                self._channels.fix(units.numbers)

    def _first(self, node: fx.Node) -> Units | None:
        return self._units.get(node.all_input_nodes[0]) if node.all_input_nodes else None


def _arguments(network: nn.Module) -> list[str]:
    """Names of what a network's forward takes."""
    return list(inspect.signature(network.forward).parameters)


def _shape(node: fx.Node) -> tuple[int, ...]:
    meta = node.meta.get("tensor_meta")
    return tuple(getattr(meta, "shape", ()))


def _rank(node: fx.Node) -> int:
    return len(_shape(node))
