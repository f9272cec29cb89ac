"""One batch through a network before any training, so that a wrong shape is told at once and layer by layer."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from lepton_lab.errors import ModelError
from lepton_lab.models.probe import probe
from lepton_lab.models.tracing import Layer, traced
from lepton_lab.specs import Problem

NUM_ROWS = 2
LAYERS_SHOWN = 12


def check(module: nn.Module, problem: Problem, *, name: str = "") -> None:
    """Runs a copy of the network forward and backward on two random rows; the network itself stays as it is.

    Args:
        module: Takes rows (N, *input_shape), and their lengths (N,) where the problem has them, and returns
            (N, *output_shape).
        problem: What a row is, and what its answer.
        name: How a message calls the network (default: its class).

    Raises:
        ModelError: It raises, or returns something else than (N, *output_shape) finite numbers, or cannot be trained.
    """
    name = name or type(module).__name__
    if not any(p.requires_grad for p in module.parameters()):
        raise ModelError(f"The network {name!r} has no parameter to train; give it at least one layer with weights.")
    with torch.random.fork_rng(devices=[]):
        rows = probe(problem, NUM_ROWS)
        trial = copy.deepcopy(module).train()
        with traced(trial) as layers:
            scores = _forward(trial, rows, layers, name)
        if isinstance(scores, torch.Tensor) and getattr(trial, "members", 1) > 1:
            scores = scores.mean(1)  # members answer each for itself in training: (N, M, *output_shape)
        if problem.task == "detection":
            scores = _detection_loss(trial, scores, problem, name)
        else:
            scores = _as_scores(scores, problem, layers, name)
        _check_gradient(scores, name)


def settle(module: nn.Module, problem: Problem) -> None:
    """Lets layers that find their own width (`nn.LazyLinear`) find it, before anybody asks for their weights."""
    if any(is_lazy(p) for p in module.parameters()):
        was_training = module.training
        with torch.no_grad():
            module.eval()(*probe(problem, NUM_ROWS))
        module.train(was_training)


def _forward(trial: nn.Module, rows: tuple[torch.Tensor, ...], layers: list[Layer], name: str) -> object:
    try:
        return trial(*rows)
    except Exception as error:
        problem = str(error).strip().split("\n")[0].rstrip(".")
        lengths = " and their lengths" if len(rows) > 1 else ""
        raise ModelError(
            f"The network {name!r} fails on a batch of shape {tuple(rows[0].shape)}{lengths}: {problem} "
            f"({type(error).__name__}). Make each layer fit what the one before it returns.{_shown(layers)}"
        ) from error


def _as_scores(scores: object, problem: Problem, layers: list[Layer], name: str) -> torch.Tensor:
    expected = (NUM_ROWS, *problem.output_shape)
    what = "class scores" if problem.task in ("classification", "multilabel") else "answers"
    if not isinstance(scores, torch.Tensor):
        raise ModelError(
            f"The network {name!r} returns {type(scores).__name__}; expected one tensor of {what} of shape "
            f"{expected}. Return that tensor alone.{_shown(layers)}"
        )
    if tuple(scores.shape) != expected or not scores.is_floating_point():
        raise ModelError(
            f"The network {name!r} returns {scores.dtype} of shape {tuple(scores.shape)} for a batch of {NUM_ROWS} "
            f"rows; expected float {what} of shape {expected}. Let the last layer have "
            f"{problem.num_outputs} outputs.{_shown(layers)}"
        )
    if not torch.isfinite(scores).all():
        raise ModelError(
            f"The network {name!r} returns numbers that are not finite before any training; look for a division by "
            f"zero, a logarithm of zero or weights that were never set.{_shown(layers)}"
        )
    return scores


def _detection_loss(trial: nn.Module, outputs: object, problem: Problem, name: str) -> torch.Tensor:
    """A detector's outputs are its own, so it has to say what they lack, and what they mean."""
    for method, what in (("loss", "outputs and boxes to a loss"), ("decode", "outputs to boxes")):
        if not callable(getattr(trial, method, None)):
            raise ModelError(f"The network {name!r} finds objects and has no {method}(); add one, from {what}.")
    _, height, width = problem.input_shape
    box = torch.tensor([[width / 4, height / 4, width / 2, height / 2, 0.0]])
    loss = trial.loss(outputs, [box, box[:0]])  # type: ignore[operator]
    if not isinstance(loss, torch.Tensor) or loss.shape != () or not torch.isfinite(loss):
        raise ModelError(f"The network {name!r} returns {loss!r} from loss(); expected one finite number, a tensor ().")
    return loss


def _check_gradient(scores: torch.Tensor, name: str) -> None:
    try:
        scores.sum().backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ModelError(
            f"The network {name!r} cannot be trained, no gradient reaches its weights: {str(error).splitlines()[0]} "
            "Keep detach(), no_grad() and in-place changes out of forward()."
        ) from error


def _shown(layers: list[Layer]) -> str:
    """The last layers that ran, a line each, the one that failed at the end."""
    if not layers:
        return ""
    skipped = len(layers) - LAYERS_SHOWN
    head = [f"... {skipped} layers before"] if skipped > 0 else []
    lines = head + [layer.line() for layer in layers[-LAYERS_SHOWN:]]
    return "\nShapes, layer by layer:\n" + "\n".join("  " + line for line in lines)
