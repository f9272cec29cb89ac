"""What a run needs before its first step: network, plan, rows, order, optimizer."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lepton_lab.errors import DataError
from lepton_lab.models.summary import describe
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.augment import make_change
from lepton_lab.training.averages import Average
from lepton_lab.training.checkpoints import Saved, seed_everything
from lepton_lab.training.compiled import CompiledStep, may_compile
from lepton_lab.training.feed import Feed
from lepton_lab.training.finder import find_learning_rate
from lepton_lab.training.graphed import GraphedStep, can_be_graphed
from lepton_lab.training.losses import balanced_weights, count_classes
from lepton_lab.training.making import Making, make_optimizer
from lepton_lab.training.objective import Objective, objective_for
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Network, Plan, make_plan
from lepton_lab.training.progress import Events
from lepton_lab.training.resident import Rows, Some, place
from lepton_lab.training.sampler import Sampler
from lepton_lab.training.step import Step

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset


Placed = Mapping[str, Rows]
"""Rows of some splits, by the split's name."""

FEWEST_SAMPLED = 64
"""Training rows that are scored after an epoch where there is no validation part to go by."""


@dataclass(frozen=True)
class Parts:
    """A run, ready to take its first step.

    `sample_rows` are training rows that an epoch's training metric is measured on, where single steps do not tell it.
    """

    module: nn.Module
    plan: Plan
    objective: Objective
    optimizer: Optimizer
    average: Average | None
    sampler: Sampler
    feed: Feed
    train_rows: Rows
    validation_rows: Rows | None
    sample_rows: Rows | None
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
    placed: Placed | None = None,
    making: Making | None = None,
) -> Parts:
    """Builds everything from the specs; weights and optimizer from a checkpoint, when there is one.

    Args:
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it.
        plan: The choices of an earlier start of the same run.
        saved: The checkpoint to go on from.
        placed: Splits whose rows are where they are needed already.
        making: How the network comes to its device (default: in one piece).

    Raises:
        DataError: There is no row to train on.
        ModelError: The network cannot be built or does not fit the rows.
        RunFailed: The loss does not fit the task, or the device is not there.
    """
    num_rows = len(dataset.splits["train"].labels)
    if not num_rows:
        raise DataError(f"The training part of {dataset.name!r} has no rows; lower validation_fraction.")
    making = making or Making()
    seed_everything(train_spec.seed)
    module = making.network(model_spec, dataset.problem, starts_anew=saved is None)
    drawing = describe(module, dataset.problem, name=model_spec.name)
    plan = plan or make_plan(train_spec, dataset.problem, network_of(module, drawing.num_macs), num_rows=num_rows)
    torch.set_num_threads(plan.threads)
    set_deterministic(plan.deterministic)
    device = torch.device(plan.device)
    making.put(module, device)
    module.train()
    placed = placed or {}
    train_rows = placed.get("train") or place(dataset, "train", device)
    if saved is None and not model_spec.weights:
        _let_get_ready(module, train_rows, making)
    optimizer = making.optimizer(module, plan)
    average = Average(module, plan.ema) if plan.ema else None
    if saved is not None:
        saved = making.own(saved)
        making.load(module, saved.model)
        if saved.optimizer:
            optimizer.load(saved.optimizer, saved.state["optimizer_num_steps"])
        if average is not None:
            average.load(saved.average if saved.average is not None else saved.model)
    validation = dataset.splits.get("validation")
    has_validation = validation is not None and len(validation.labels) > 0
    lengths = train_rows.lengths if plan.batch_order == "alike" else None
    sampler = Sampler(num_rows, plan.batch_size, plan.seed, device, lengths)
    objective = _objective(dataset, plan, device)
    change = make_change(dataset.problem, plan.changes, plan.seed, word_dropout=plan.word_dropout)
    return Parts(
        module=module,
        plan=plan,
        objective=objective,
        optimizer=optimizer,
        average=average,
        sampler=sampler,
        feed=Feed(train_rows, sampler, 4 * math.prod(dataset.problem.input_shape), change=change),
        train_rows=train_rows,
        validation_rows=(placed.get("validation") or place(dataset, "validation", device)) if has_validation else None,
        sample_rows=_sample(train_rows, validation) if not objective.metric.is_of_steps else None,
        num_parameters=drawing.num_parameters,
    )


def _sample(rows: Rows, validation: Any) -> Rows:
    """As many training rows as are validated, the same in every epoch: both figures cost and mean alike."""
    num_rows = min(len(rows), (len(validation.labels) if validation is not None else 0) or FEWEST_SAMPLED)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return Some(rows, order[:num_rows])


def _let_get_ready(module: nn.Module, rows: Rows, making: Making) -> None:
    """Shows a network that asks for it training rows, all or `ready_rows` from all parts of them, before any step."""
    get_ready = getattr(module, "get_ready", None)
    if callable(get_ready):
        num_rows = min(len(rows), getattr(module, "ready_rows", None) or len(rows))
        device = next(module.parameters()).device
        batch = rows.batch(torch.arange(num_rows, device=device) * len(rows) // num_rows)
        making.get_ready(module, batch.inputs, batch.labels)


def with_found_rate(parts: Parts, events: Events) -> Parts:
    """The parts with the learning rate of a short trial, of which `LearningRateFound` tells."""
    plan = parts.plan
    found = find_learning_rate(parts.module, parts.objective, parts.feed, plan, make_optimizer)
    events.append("LearningRateFound", learning_rate=found.learning_rate, rates=found.rates, losses=found.losses)
    reason = f"{found.learning_rate:.3g} because the loss fell fastest there in a trial of {len(found.rates)} steps"
    choices = {**plan.choices, "learning_rate": reason}
    return replace(parts, plan=replace(plan, learning_rate=found.learning_rate, choices=choices))


def announcement(parts: Parts, *, from_step: int) -> dict[str, Any]:
    """What `RunStarted` tells: how the run trains, on what, and why so."""
    plan, metric = parts.plan, parts.objective.metric
    return {
        "device": plan.device,
        "precision": plan.precision,
        "threads": plan.threads,
        "steps_per_epoch": parts.sampler.steps_per_epoch,
        "steps_total": parts.steps_total,
        "epochs": plan.epochs,
        "num_parameters": parts.num_parameters,
        "train_rows": len(parts.train_rows),
        "val_rows": len(parts.validation_rows) if parts.validation_rows is not None else 0,
        "batch_size": plan.batch_size,
        "learning_rate": plan.learning_rate,
        "metric": metric.name,
        "higher_is_better": metric.higher_is_better,
        "from_step": from_step,
        "environment": environment(),
        "choices": plan.choices,
        "options": {key: value for key, value in plan.to_dict().items() if key != "choices"},
    }


def make_step(parts: Parts, events: Events) -> Step | CompiledStep:
    """What makes the updates: a CUDA graph of the step where the device has graphs and every step does the same.

    The network is compiled where that pays or was asked for; see `training.compiled`.
    """
    module, plan, objective = parts.module, parts.plan, parts.objective
    has_lengths = parts.train_rows.lengths is not None

    def warn(message: str) -> None:
        events.append("WarningRaised", message=message)

    if can_be_graphed(plan, objective, parts.optimizer, has_lengths=has_lengths):
        step: Step = GraphedStep(module, parts.optimizer, objective, plan, warn=warn)
    else:
        step = Step(module, parts.optimizer, objective, plan)
    if not may_compile(plan, objective, has_lengths=has_lengths):
        return step
    return CompiledStep(step, parts.optimizer, module, plan, parts.steps_total, warn=warn, tell=events.append)


def network_of(module: nn.Module, num_macs: int) -> Network:
    """What a network says of itself, as a plan is made from it."""
    return Network(
        num_macs,
        dict(getattr(module, "learning_rates", None) or {}),
        dict(getattr(module, "training_defaults", None) or {}),
        has_tiles=any(isinstance(each, nn.Conv1d | nn.Conv2d | nn.RNNBase) for each in module.modules()),
    )


def _objective(dataset: PreparedDataset, plan: Plan, device: torch.device) -> Objective:
    weights = None
    if plan.class_weights == "balanced":
        if dataset.task not in ("classification", "multilabel"):
            raise DataError(f"class_weights=balanced needs classes; the task of {dataset.name!r} is {dataset.task}.")
        labels = torch.as_tensor(dataset.splits["train"].labels[:])
        weights = balanced_weights(count_classes(labels, dataset.task, len(dataset.classes)), dataset.task).to(device)
    return objective_for(
        dataset.problem,
        dataset.target,
        loss=plan.loss,
        label_smoothing=plan.label_smoothing,
        class_weights=weights,
    )


def set_deterministic(wanted: bool) -> None:
    """Lets torch refuse operations whose result is not the same each time.

    Not by `torch.use_deterministic_algorithms`, which imports the compiler (torch._inductor) first.
    """
    torch._C._set_deterministic_algorithms(wanted, warn_only=False)
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False


def environment() -> dict[str, Any]:
    """What the run was computed with."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
    }
