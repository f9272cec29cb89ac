"""From a `ModelSpec` to a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from lepton_lab.errors import UnknownName
from lepton_lab.models.audio import AudioCnn, Crnn
from lepton_lab.models.check import check, settle
from lepton_lab.models.cnn import Cnn
from lepton_lab.models.cnn1d import Cnn1d
from lepton_lab.models.custom import build_custom
from lepton_lab.models.detector import Detector
from lepton_lab.models.factorisation import Factorisation
from lepton_lab.models.finetune import freeze, load_weights
from lepton_lab.models.forecast import Forecaster, as_rows
from lepton_lab.models.language import Language
from lepton_lab.models.linear import Linear
from lepton_lab.models.mlp import Mlp
from lepton_lab.models.quicknet import Quicknet
from lepton_lab.models.resnet import Resnet
from lepton_lab.models.rnn import Rnn
from lepton_lab.models.table_resnet import TableResnet
from lepton_lab.models.tcn import Tcn
from lepton_lab.models.transformer import Transformer
from lepton_lab.models.two_tower import TwoTower
from lepton_lab.specs import ModelSpec, Problem, require_suits

Builder = Callable[[Problem, Any], nn.Module]

NETWORKS: dict[str, Builder] = {
    "cnn": Cnn,
    "resnet": Resnet,
    "quicknet": Quicknet,
    "rnn": Rnn,
    "cnn1d": Cnn1d,
    "transformer": Transformer,
    "tcn": Tcn,
    "crnn": Crnn,
    "mlp": Mlp,
    "table_resnet": TableResnet,
    "linear": Linear,
    "language": Language,
    "factorisation": Factorisation,
    "two_tower": TwoTower,
    "detector": Detector,
}
"""The built-in networks by name; each takes (problem, its typed options)."""

FOR_MODALITY: dict[tuple[str, str], Builder] = {("cnn", "audio"): AudioCnn}
"""Networks whose form for a modality has a class of its own."""

FORECASTERS = ("linear",)
"""Networks that make forecasts themselves; others are put into a `Forecaster`."""


def build(spec: ModelSpec, problem: Problem, *, starts_anew: bool = True, tries: bool = True) -> nn.Module:
    """The network that a spec asks for, with fresh weights or those of a file; one of one's own is checked.

    It is called with a batch's inputs (B, *input_shape), and with the rows' lengths too where the problem has them,
    and returns (B, *output_shape).

    Args:
        spec: Name and options, or source and class.
        problem: What a row is, and what its answer.
        starts_anew: Take the weights that the spec names; False where those of a checkpoint will be put in.
        tries: Send made-up rows through a network of one's own first; not possible where it is made on paper.

    Raises:
        ModelError: The network cannot be built, or does not suit the problem.
        UnknownName: No network has that name.
    """
    module = _fresh(spec, problem, tries=tries)
    if spec.weights and starts_anew:
        load_weights(module, spec.weights)
    if spec.freeze:
        freeze(module, spec.freeze)
    return module


def _without_letters(_: nn.Module, rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Tokens (B, T) of tokens with their groups of letters (B, T, 1 + G), whatever else comes with them."""
    return rows[0][..., 0], *rows[1:]


def _tokens_alone(problem: Problem) -> Problem:
    """The problem as a network of one's own meets it: texts are tokens (B, T), whatever is known of their letters."""
    if not problem.letter_groups:
        return problem
    return replace(problem, input_shape=problem.input_shape[:1], letter_groups=0)


def _fresh(spec: ModelSpec, problem: Problem, *, tries: bool) -> nn.Module:
    if spec.source is not None:
        problem, has_letters = _tokens_alone(problem), problem.letter_groups > 0
        module = build_custom(spec, problem)
        if tries:
            check(module, problem, name=spec.class_name or spec.name)
            settle(module, problem)
        if has_letters:
            module.register_forward_pre_hook(_without_letters)
        return module
    if spec.name not in NETWORKS:
        raise UnknownName("model", spec.name, NETWORKS)
    require_suits(spec.name, problem)
    builder = FOR_MODALITY.get((spec.name, problem.modality), NETWORKS[spec.name])
    if problem.task == "forecasting" and spec.name not in FORECASTERS:
        return Forecaster(builder(as_rows(problem), spec.typed_options()), problem)
    return builder(problem, spec.typed_options())
