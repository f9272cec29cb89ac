"""From a `ModelSpec` to a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from lepton_lab.errors import UnknownName
from lepton_lab.models.check import check, settle
from lepton_lab.models.cnn import Cnn
from lepton_lab.models.custom import build_custom
from lepton_lab.models.mlp import Mlp
from lepton_lab.models.rnn import Rnn
from lepton_lab.specs import ModelSpec

NETWORKS: dict[str, Callable[[tuple[int, ...], int, Any], nn.Module]] = {"cnn": Cnn, "rnn": Rnn, "mlp": Mlp}
"""The built-in networks by name; each takes (input_shape, num_classes, its typed options)."""


def build(spec: ModelSpec, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """The network that a spec asks for, with fresh weights; one of one's own is checked with a batch.

    Args:
        spec: Name and options, or source and class.
        input_shape: Shape of one row, without the batch.
        num_classes: Number of classes.

    Raises:
        ModelError: The network cannot be built, or does not fit the rows.
        UnknownName: No network has that name.
    """
    if spec.source is not None:
        module = build_custom(spec, input_shape, num_classes)
        check(module, input_shape, num_classes, name=spec.class_name or spec.name)
        settle(module, input_shape)
        return module
    if spec.name not in NETWORKS:
        raise UnknownName("model", spec.name, NETWORKS)
    return NETWORKS[spec.name](tuple(input_shape), num_classes, spec.typed_options())
