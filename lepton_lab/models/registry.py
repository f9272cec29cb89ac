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
from lepton_lab.specs import ModelSpec, Problem, require_suits

NETWORKS: dict[str, Callable[[Problem, Any], nn.Module]] = {"cnn": Cnn, "rnn": Rnn, "mlp": Mlp}
"""The built-in networks by name; each takes (problem, its typed options)."""


def build(spec: ModelSpec, problem: Problem) -> nn.Module:
    """The network that a spec asks for, with fresh weights; one of one's own is checked with a batch.

    It is called with a batch's inputs (B, *input_shape), and with the rows' lengths too where the problem has them,
    and returns (B, *output_shape).

    Args:
        spec: Name and options, or source and class.
        problem: What a row is, and what its answer.

    Raises:
        ModelError: The network cannot be built, or does not suit the problem.
        UnknownName: No network has that name.
    """
    if spec.source is not None:
        module = build_custom(spec, problem)
        check(module, problem, name=spec.class_name or spec.name)
        settle(module, problem)
        return module
    if spec.name not in NETWORKS:
        raise UnknownName("model", spec.name, NETWORKS)
    require_suits(spec.name, problem)
    return NETWORKS[spec.name](problem, spec.typed_options())
