"""What a run needs before its first step: network, plan, rows, order, optimizer."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lepton_lab.errors import DataError, ModelError
from lepton_lab.models.registry import build
from lepton_lab.models.summary import describe
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.checkpoints import Saved, Tensors, seed_everything
from lepton_lab.training.optimizers import OPTIMIZERS, Optimizer
from lepton_lab.training.plan import Plan, make_plan
from lepton_lab.training.resident import Rows, place
from lepton_lab.training.sampler import Sampler

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset


@dataclass(frozen=True)
class Parts:
    """A run, ready to take its first step."""

    module: nn.Module
    plan: Plan
    optimizer: Optimizer
    sampler: Sampler
    train_rows: Rows
    validation_rows: Rows | None
    num_parameters: int

    @property
    def steps_total(self) -> int:
        """Steps of the whole run."""
        return self.plan.epochs * self.sampler.steps_per_epoch


def prepare(
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *,
    plan: Plan | None = None,
    saved: Saved | None = None,
) -> Parts:
    """Builds everything from the specs; weights and optimizer from a checkpoint, when there is one.

    Args:
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it.
        plan: The choices of an earlier start of the same run.
        saved: The checkpoint to go on from.

    Raises:
        DataError: There is no row to train on.
        ModelError: The network cannot be built or does not fit the rows.
    """
    num_rows = len(dataset.splits["train"].labels)
    if not num_rows:
        raise DataError(f"The training part of {dataset.name!r} has no rows; lower validation_fraction.")
    seed_everything(train_spec.seed)
    module = build(model_spec, dataset.problem)
    drawing = describe(module, dataset.problem, name=model_spec.name)
    learning_rates = getattr(module, "learning_rates", None)
    plan = plan or make_plan(train_spec, num_rows=num_rows, num_macs=drawing.num_macs, learning_rates=learning_rates)
    torch.set_num_threads(plan.threads)
    device = torch.device(plan.device)
    module.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = OPTIMIZERS[plan.optimizer](module.parameters(), plan.weight_decay)
    if saved is not None:
        _load_weights(module, saved.model)
        if saved.optimizer:
            optimizer.load(saved.optimizer, saved.state["optimizer_num_steps"])
    validation = dataset.splits.get("validation")
    has_validation = validation is not None and len(validation.labels) > 0
    return Parts(
        module=module,
        plan=plan,
        optimizer=optimizer,
        sampler=Sampler(num_rows, plan.batch_size, plan.seed, device),
        train_rows=place(dataset.splits["train"], dataset.preparation, dataset.input_shape, device),
        validation_rows=(
            place(validation, dataset.preparation, dataset.input_shape, device) if has_validation else None
        ),
        num_parameters=drawing.num_parameters,
    )


def _load_weights(module: nn.Module, weights: Tensors) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        said = str(error).partition("\n\t")[2].partition("\n")[0].strip() or str(error)
        raise ModelError(
            f"The checkpoint's weights do not fit this network: {said} Fork it with the network's options as they were."
        ) from error


def environment() -> dict[str, Any]:
    """What the run was computed with."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
    }
