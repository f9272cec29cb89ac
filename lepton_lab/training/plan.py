"""Every automatic choice of a run, made once, with its reason; a restarted run takes the plan it had."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from lepton_lab.errors import RunFailed
from lepton_lab.specs import TrainSpec
from lepton_lab.training.threads import choose_threads

LEARNING_RATES = {"adamw": 1e-3, "adam": 1e-3, "sgd": 0.05}
"""Peak learning rates for a network that does not name its own."""

WEIGHT_DECAYS = {"adamw": 0.01, "adam": 0.0, "sgd": 5e-4}
"""Where the decay is part of the gradient (adam, sgd), 0.01 would hold the weights down."""

STEPS_WANTED = 40
"""An epoch should make about so many updates, if the rows allow it."""

SMALLEST_BATCH, LARGEST_BATCH = 16, {"cpu": 64, "cuda": 512}


@dataclass(frozen=True)
class Plan:
    """How a run trains: `TrainSpec` with nothing left open.

    `choices` holds, for each option that was left to the product, "value because reason".
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: Literal["adamw", "adam", "sgd"]
    schedule: Literal["one_cycle", "cosine", "constant"]
    label_smoothing: float
    clip_norm: float | None
    stop_early_epochs: int | None
    seed: int
    device: Literal["cpu", "cuda"]
    precision: Literal["float32", "bfloat16"]
    threads: int
    checkpoint_every_seconds: float
    choices: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `Plan(**values)` builds it again."""
        return asdict(self)


def make_plan(spec: TrainSpec, *, num_rows: int, num_macs: int, learning_rates: dict[str, float] | None) -> Plan:
    """Fills in what a spec leaves open.

    Args:
        spec: What was asked.
        num_rows: Training rows.
        num_macs: Multiplications of the network for one row.
        learning_rates: The network's own peak learning rates by optimizer, if it names any.

    Raises:
        RunFailed: A GPU was asked for and there is none.
    """
    choices: dict[str, str] = {}

    def choose(option: str, value: Any, reason: str) -> Any:
        choices[option] = f"{value:g} because {reason}" if isinstance(value, float) else f"{value} because {reason}"
        return value

    device = spec.device if spec.device != "auto" else choose("device", *_device())
    if device == "cuda" and not torch.cuda.is_available():
        raise RunFailed("device is cuda, but no GPU that torch can use is here; train with device=cpu.", "error")
    precision = spec.precision if spec.precision != "auto" else choose("precision", *_precision(device))
    batch_size = spec.batch_size or choose("batch_size", *_batch_size(num_rows, device))
    batch_size = min(batch_size, num_rows)  # an epoch of few rows is one step
    threads = spec.threads or choose("threads", *choose_threads(num_macs * batch_size * 3))
    learning_rate = spec.learning_rate or choose("learning_rate", *_learning_rate(spec.optimizer, learning_rates))
    weight_decay = spec.weight_decay
    if weight_decay is None:
        weight_decay = choose("weight_decay", WEIGHT_DECAYS[spec.optimizer], f"that suits {spec.optimizer}")
    return Plan(
        epochs=spec.epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        optimizer=spec.optimizer,
        schedule=spec.schedule,
        label_smoothing=spec.label_smoothing,
        clip_norm=spec.clip_norm,
        stop_early_epochs=spec.stop_early_epochs,
        seed=spec.seed,
        device=device,
        precision=precision,
        threads=threads,
        checkpoint_every_seconds=spec.checkpoint_every_seconds,
        choices=choices,
    )


def _device() -> tuple[str, str]:
    if torch.cuda.is_available():
        return "cuda", f"there is a GPU ({torch.cuda.get_device_name()})"
    return "cpu", "there is no GPU that torch can use"


def _precision(device: str) -> tuple[str, str]:
    if device == "cuda" and torch.cuda.is_bf16_supported():
        return "bfloat16", "the GPU computes it faster"
    return "float32", "this device is fastest with it"


def _batch_size(num_rows: int, device: str) -> tuple[int, str]:
    wanted = max(SMALLEST_BATCH, num_rows // STEPS_WANTED)
    size = min(LARGEST_BATCH[device], 1 << (wanted.bit_length() - 1), num_rows)
    return size, f"{num_rows:,} training rows make {-(-num_rows // size):,} steps an epoch"


def _learning_rate(optimizer: str, learning_rates: dict[str, float] | None) -> tuple[float, str]:
    if learning_rates and optimizer in learning_rates:
        return learning_rates[optimizer], f"it suits this network with {optimizer}"
    return LEARNING_RATES[optimizer], f"it is a safe start for {optimizer}"
