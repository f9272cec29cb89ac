"""Whether a network is cut over the ranks: where a person wants it, and where it would not fit into each of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lepton_lab.models.registry import build
from lepton_lab.scaling.team import Collective
from lepton_lab.scaling.training import SharedTraining
from lepton_lab.specs import ModelSpec, Problem, TrainSpec
from lepton_lab.training.memory import free_bytes

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

COPIES = {"adamw": 2, "adam": 2, "sgd": 1, "muon": 1}
"""Tensors of the optimizer beside each weight."""

GIGABYTE = 1e9

LEAST_BYTES = 1 << 26
"""Networks with smaller weights are not cut by themselves: they are not what the memory is full of."""


def training_of(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *events_and_control: Any,
    team: Collective,
    device: str,
    **more: Any,
) -> SharedTraining:
    """The training loop of a rank: over a network in each of them, or over one that is cut; all ranks call this.

    The arguments are those of `SharedTraining`, and where it trains.
    """
    arguments = (run_dir, dataset, model_spec, train_spec, *events_and_control, time.monotonic)
    cuts, reason = train_spec.shard == "always", None
    if train_spec.shard == "auto":
        reason = team.tell(reason_to_cut(train_spec, model_spec, dataset.problem, team, device))
        cuts = reason is not None
    if not cuts:
        return SharedTraining(*arguments, team=team, **more)
    from lepton_lab.scaling.cut_training import CutTraining
    from lepton_lab.scaling.cutting import Cutting

    del more["compares"]
    return CutTraining(*arguments, team=team, making=Cutting(team), reason=reason, **more)


def load_cutting() -> None:
    """Imports all that a network is cut with, which takes more than a second."""
    import lepton_lab.scaling.cut_training  # noqa: F401
    from lepton_lab.scaling.deferred import Sketch

    Sketch(lambda: torch.nn.Linear(1, 1))  # torch loads much of itself when it makes its first fake tensor


def reason_to_cut(
    spec: TrainSpec, model_spec: ModelSpec, problem: Problem, team: Collective, device: str
) -> str | None:
    """Why a network has to be cut, as a sentence goes on with it; None where it need not, or cannot.

    What is counted: weights, gradients, the optimizer's tensors, the average and the best weights so far. Ranks of one
    host that train on its processor share its memory.
    """
    if team.rank or (spec.find_learning_rate and spec.learning_rate is None):
        return None
    num_bytes = bytes_of_weights(model_spec, problem)
    if num_bytes is None or num_bytes < LEAST_BYTES:
        return None
    num_copies = 3 + COPIES[spec.optimizer] + (spec.ema is not None)
    num_holders = team.size if device == "cpu" and team.is_one_host else 1
    needed, free = num_copies * num_bytes * num_holders, _free_bytes(device)
    if needed <= free:
        return None
    whole = f"{num_holders} whole copies" if num_holders > 1 else "a whole copy"
    return f"training {whole} takes {needed / GIGABYTE:.3g} GB and {free / GIGABYTE:.3g} GB are free"


def bytes_of_weights(model_spec: ModelSpec, problem: Problem) -> int | None:
    """Size of a network's weights, found without making them; None where that is not possible."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = build(model_spec, problem, starts_anew=False, tries=False)
        return sum(p.numel() * p.element_size() for p in module.parameters())
    except Exception:  # a network of one's own may raise anything where it finds no numbers
        return None


def _free_bytes(device: str) -> int:
    return free_bytes() if device == "cpu" else int(torch.cuda.mem_get_info()[0])
