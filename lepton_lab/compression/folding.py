"""Folds each batch norm into the convolution before it: fewer layers, and weights that stay as they were rounded."""

from __future__ import annotations

import inspect

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_norms(network: nn.Module) -> nn.Module:
    """Folds norms, in place; a norm that does not directly follow a convolution, and is not alone to, stays.

    Args:
        network: In evaluation mode. One whose graph cannot be traced stays as it is.
    """
    blanks = dict.fromkeys(list(inspect.signature(network.forward).parameters)[1:])
    try:
        graph = fx.symbolic_trace(network, concrete_args=blanks or None).graph
    except Exception:  # tracing raises whatever the network's code raises; folding only saves a little
        return network
    layers = dict(network.named_modules())
    calls = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    for node in graph.nodes:
        source = node.all_input_nodes[0] if node.all_input_nodes else None
        if node.op != "call_module" or source is None or source.op != "call_module" or len(source.users) > 1:
            continue
        norm, convolution = layers[str(node.target)], layers[str(source.target)]
        once = calls.count(str(node.target)) == calls.count(str(source.target)) == 1
        if once and isinstance(norm, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
            with torch.no_grad():
                _replace(network, str(source.target), fuse_conv_bn_eval(convolution, norm))
            _replace(network, str(node.target), nn.Identity())
    return network


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, layer)
