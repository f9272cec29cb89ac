"""Every automatic choice of a run, made once, with its reason; a restarted run takes the plan it had."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch

from lepton_lab.errors import RunFailed
from lepton_lab.specs import TASKS, Problem, TrainSpec
from lepton_lab.specs.train import OptimizerName, ScheduleName
from lepton_lab.training.changes import choose_changes
from lepton_lab.training.threads import choose_threads

LEARNING_RATES = {"adamw": 1e-3, "adam": 1e-3, "sgd": 0.05, "muon": 3e-3}
"""Peak learning rates for a network that does not name its own."""

WEIGHT_DECAYS = {"adamw": 0.01, "adam": 0.0, "sgd": 5e-4, "muon": 0.01}
"""Where the decay is part of the gradient (adam, sgd), 0.01 would hold the weights down."""

STEPS_WANTED = 40
"""An epoch should make about so many updates, if the rows allow it."""

EPOCHS = 20
"""Passes over the rows where an epoch makes as many updates as wanted."""

FEWEST_EPOCHS, MOST_EPOCHS = 5, 300

AUGMENTED, AUGMENT_FROM_EPOCHS = ("image", "audio", "text"), 10
"""Rows that are changed at random by themselves, in runs that are long enough to gain from it."""

LARGE_STEP_MACS = 100_000_000
"""From so many multiplications a step on, bfloat16 saves more than its conversions cost."""

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
    optimizer: OptimizerName
    schedule: ScheduleName
    loss: str
    label_smoothing: float
    augment: Literal["none", "light", "strong"]
    changes: list[str]
    word_dropout: float
    batch_order: Literal["alike", "random"]
    class_weights: Literal["none", "balanced"]
    clip_norm: float | None
    ema: float | None
    accumulate: int
    stop_early_epochs: int | None
    seed: int
    deterministic: bool
    find_learning_rate: bool
    tensorboard: bool
    device: Literal["cpu", "cuda"]
    precision: Literal["float32", "bfloat16"]
    threads: int
    checkpoint_every_seconds: float
    compile: Literal["auto", "on", "off"] = "off"
    choices: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `Plan(**values)` builds it again."""
        return asdict(self)


@dataclass(frozen=True)
class Network:
    """What a network says of itself.

    Attributes:
        num_macs: Multiplications for one row.
        learning_rates: Its own peak learning rates by optimizer, if it names any.
        defaults: Options of `TrainSpec` that suit it better than the usual ones, used where they are left open; beside
            them "steps", about how many updates it needs.
        has_tiles: Whether its work is of a kind that units for bfloat16 do well: convolutions and recurrent cells.
    """

    num_macs: int
    learning_rates: dict[str, float] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    has_tiles: bool = False


class _Choices(dict[str, str]):
    """What was chosen, with its reason."""

    def __call__(self, option: str, value: Any, reason: str) -> Any:
        self[option] = f"{value:g} because {reason}" if isinstance(value, float) else f"{value} because {reason}"
        return value


def make_plan(spec: TrainSpec, problem: Problem, network: Network, *, num_rows: int) -> Plan:
    """Fills in what a spec leaves open.

    Args:
        spec: What was asked.
        problem: What is learnt.
        network: What the network says of itself.
        num_rows: Training rows.

    Raises:
        RunFailed: A GPU was asked for and there is none.
    """
    choose = _Choices()
    device = spec.device if spec.device != "auto" else choose("device", *_device())
    if device == "cuda" and not torch.cuda.is_available():
        raise RunFailed("device is cuda, but no GPU that torch can use is here; train with device=cpu.", "error")
    batch_size = _own(spec, network, "batch_size", choose) or choose("batch_size", *_batch_size(num_rows, device))
    batch_size = min(batch_size, num_rows)  # an epoch of few rows is one step
    epochs = _own(spec, network, "epochs", choose) or choose("epochs", *_epochs(num_rows, batch_size, network))
    macs = network.num_macs * batch_size
    precision = spec.precision
    if precision == "auto":
        precision = choose("precision", *_precision(device, network.has_tiles and macs >= LARGE_STEP_MACS))
    threads = spec.threads or choose("threads", *choose_threads(macs * 3))
    rate = spec.learning_rate or choose("learning_rate", *_learning_rate(spec.optimizer, network.learning_rates))
    weight_decay = _own(spec, network, "weight_decay", choose)
    if weight_decay is None:
        weight_decay = choose("weight_decay", WEIGHT_DECAYS[spec.optimizer], f"that suits {spec.optimizer}")
    loss = spec.loss
    if loss == "auto":
        loss = choose("loss", TASKS[problem.task].losses[0], f"that suits {problem.task}")
    augment = _own(spec, network, "augment", choose) or choose("augment", *_augment(problem, epochs))
    changes, word_dropout, reasons = choose_changes(spec, augment, problem)
    choose.update(reasons)
    return Plan(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=rate,
        weight_decay=weight_decay,
        optimizer=spec.optimizer,
        schedule=spec.schedule,
        loss=loss,
        label_smoothing=_own(spec, network, "label_smoothing", choose) or 0.0,
        augment=augment,
        changes=changes,
        word_dropout=word_dropout,
        batch_order=spec.batch_order,
        class_weights=spec.class_weights,
        clip_norm=_own(spec, network, "clip_norm", choose),
        ema=_own(spec, network, "ema", choose),
        accumulate=min(spec.accumulate, batch_size),
        stop_early_epochs=spec.stop_early_epochs,
        seed=spec.seed,
        deterministic=spec.deterministic,
        find_learning_rate=spec.find_learning_rate and spec.learning_rate is None,
        tensorboard=spec.tensorboard,
        device=device,
        precision=precision,
        threads=threads,
        checkpoint_every_seconds=spec.checkpoint_every_seconds,
        compile=spec.compile,
        choices=dict(choose),
    )


def _own(spec: TrainSpec, network: Network, option: str, choose: _Choices) -> Any:
    """What was asked, else what suits the network."""
    asked = getattr(spec, option)
    asked = None if asked == "auto" else asked
    if asked is not None or option not in network.defaults:
        return asked
    return choose(option, network.defaults[option], "it suits this network")


def _device() -> tuple[str, str]:
    if torch.cuda.is_available():
        return "cuda", f"there is a GPU ({torch.cuda.get_device_name()})"
    return "cpu", "there is no GPU that torch can use"


def _precision(device: str, suits_tiles: bool) -> tuple[str, str]:
    if device == "cuda" and torch.cuda.is_bf16_supported():
        return "bfloat16", "the GPU computes it faster"
    unit = bfloat16_unit() if device == "cpu" and suits_tiles else None
    if unit:
        return "bfloat16", f"this processor multiplies it in hardware ({unit})"
    return "float32", "this device is fastest with it"


def bfloat16_unit() -> str | None:
    """What the processor multiplies bfloat16 with, if anything; without it bfloat16 is many times slower.

    Matrix units (AMX) make a step of convolutions or recurrent cells about twice as fast as in float32, vector units
    1.35 to 2.25 times (AVX-512, some twenty networks on one core of an EPYC; a large GRU 1.2, a small one 0.9).
    """
    for unit, name in (("AMX", "_is_amx_tile_supported"), ("AVX-512", "_is_avx512_bf16_supported")):
        is_supported = getattr(torch.cpu, name, None)
        if is_supported and is_supported():
            return unit
    return None


def _batch_size(num_rows: int, device: str) -> tuple[int, str]:
    wanted = max(SMALLEST_BATCH, num_rows // STEPS_WANTED)
    size = min(LARGEST_BATCH[device], 1 << (wanted.bit_length() - 1), num_rows)
    return size, f"{num_rows:,} training rows make {-(-num_rows // size):,} steps an epoch"


def _epochs(num_rows: int, batch_size: int, network: Network) -> tuple[int, str]:
    steps = -(-num_rows // batch_size)
    wanted = network.defaults.get("steps")
    if wanted:
        epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, round(wanted / steps)))
        return epochs, f"this network learns well in about {wanted:,} steps"
    if steps >= STEPS_WANTED * 0.9:
        return EPOCHS, f"an epoch makes {steps:,} steps"
    epochs = min(MOST_EPOCHS, -(-EPOCHS * STEPS_WANTED // steps))
    return epochs, f"an epoch makes only {steps} step{'s' if steps > 1 else ''}"


def _augment(problem: Problem, epochs: int) -> tuple[str, str]:
    if problem.modality not in AUGMENTED or problem.task == "language":
        return "none", f"rows of this kind ({problem.modality}) are best as they are"
    if epochs < AUGMENT_FROM_EPOCHS:
        return "none", f"{epochs} epochs hardly see a row twice"
    return "light", "rows that change each epoch are harder to learn by heart"


def _learning_rate(optimizer: str, learning_rates: dict[str, float]) -> tuple[float, str]:
    if optimizer in learning_rates:
        return learning_rates[optimizer], f"it suits this network with {optimizer}"
    return LEARNING_RATES[optimizer], f"it is a safe start for {optimizer}"
