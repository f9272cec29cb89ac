"""How a network is trained."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lepton_lab.specs.base import ClusterAddress, Fraction, Name, Spec, option

OptimizerName = Literal["adamw", "adam", "sgd", "muon"]
ScheduleName = Literal["one_cycle", "cosine", "step", "warm_up", "plateau", "constant"]
LossName = Literal["auto", "cross_entropy", "focal", "bce", "mse", "huber", "mae", "bpr"]

Switch = Literal["auto", "on", "off"]


class TrainSpec(Spec):
    """How a network is trained. `auto` and unset values are chosen for the dataset, and the run's record says how."""

    epochs: int | None = option(
        None, "Passes over the training rows (default: 20, more where rows are few)", ge=1, le=100_000
    )
    batch_size: int | None = option(None, "Rows per step (default: chosen from the number of rows)", ge=1, le=65_536)
    learning_rate: float | None = option(
        None, "Step length at its highest (default: chosen for the optimizer)", gt=0, le=100
    )
    optimizer: OptimizerName = option("adamw", "Update rule")
    schedule: ScheduleName = option("one_cycle", "How the learning rate moves during the run")
    loss: LossName = option("auto", "What the steps make small (default: the task's usual one)", advanced=True)
    augment: Literal["auto", "none", "light", "strong"] = option(
        "auto",
        "Random changes of the training rows, by what they are: shifts, cuts, masks, left-out words",
        advanced=True,
    )
    flip: bool = option(
        False, "Mirror pictures left to right at random (not where that changes what they are)", advanced=True
    )
    shift: Switch = option("auto", "Pictures, sounds: move each at random (auto: as augment says)", advanced=True)
    crop: Switch = option("auto", "Pictures: zoom into a random part of each", advanced=True)
    rotate: Switch = option(
        "auto", "Pictures: turn each by 15 degrees at most (auto: where augment is strong)", advanced=True
    )
    cutout: Switch = option("auto", "Pictures: leave out a square of each (auto: as augment says)", advanced=True)
    erase: Switch = option("auto", "Pictures: fill a rectangle of every other one with noise", advanced=True)
    mixup: Switch = option(
        "auto", "Pictures with classes: mix pairs, and their labels (auto: where augment is strong)", advanced=True
    )
    spec_augment: Switch = option(
        "auto", "Sounds: leave out a stripe of pitches and a stretch of time (auto: as augment says)", advanced=True
    )
    noise: Switch = option("auto", "Sounds: add noise (auto: where augment is strong)", advanced=True)
    word_dropout: Fraction | None = option(
        None, "Texts: share of the words made unknown (default: as augment says, 0.1 or 0.2)", advanced=True
    )
    batch_order: Literal["alike", "random"] = option(
        "alike", "Rows with lengths: batches of alike lengths, which saves padding, or at random", advanced=True
    )
    weight_decay: float | None = option(
        None, "Pull of the weights towards zero (default: chosen for the optimizer)", advanced=True, ge=0, le=10
    )
    label_smoothing: Fraction | None = option(
        None, "Share of each label spread over the other classes (default: the network's)", advanced=True
    )
    class_weights: Literal["none", "balanced"] = option(
        "none", "Let rare classes count as much as frequent ones", advanced=True
    )
    clip_norm: float | None = option(
        None, "Largest length of the gradient (default: the network's)", advanced=True, gt=0
    )
    ema: Fraction | None = option(
        None, "Share of the weights' running average that a step keeps, 0.99 say; the average is validated and kept",
        advanced=True,
    )  # fmt: skip
    accumulate: int = option(
        1, "Parts in which a step's rows go through the network, to save memory", advanced=True, ge=1, le=4096
    )
    find_learning_rate: bool = option(
        False, "Look for the learning rate by a short trial before the first step", advanced=True
    )
    stop_early_epochs: int | None = option(
        None, "Stop when validation has not improved for so many epochs", advanced=True, ge=1
    )
    seed: int = option(0, "Seed of weights, order and dropout", advanced=True, ge=0, le=2**31 - 1)
    deterministic: bool = option(
        False, "Refuse operations whose result depends on timing (a GPU has some)", advanced=True
    )
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Where to train", advanced=True)
    cluster: ClusterAddress | None = option(
        None, "Train on a Ray cluster: auto, or HOST:PORT of its head (default: on this machine)", advanced=True
    )
    workers: int = option(2, "Processes on the cluster that share each step's rows", advanced=True, ge=1, le=1024)
    min_workers: int | None = option(
        None, "Fewest processes to go on with when the cluster has lost hosts (default: as many as workers)",
        advanced=True, ge=1, le=1024,
    )  # fmt: skip
    cpus_per_worker: float = option(1.0, "Cores that the cluster sets aside for each", advanced=True, gt=0, le=1024)
    gpus_per_worker: float = option(0.0, "GPUs that it sets aside for each", advanced=True, ge=0, le=1)
    devices: int = option(
        1, "GPUs, or processes on CPU cores, that share each step's rows; the result is that of one", advanced=True,
        ge=1, le=64,
    )  # fmt: skip
    shard: Literal["auto", "never", "always"] = option(
        "auto", "Cut the network over the devices, each of which holds a part (auto: where it does not fit one)",
        advanced=True,
    )  # fmt: skip
    precision: Literal["auto", "float32", "bfloat16"] = option("auto", "Number format of the step", advanced=True)
    threads: int | None = option(
        None, "CPU threads (default: the cores that are free, one for small networks)", advanced=True, ge=1, le=512
    )
    compile: Switch = option(
        "auto", "Compile the network before it trains on (auto: on a GPU, in long runs, where it is faster)",
        advanced=True,
    )  # fmt: skip
    tensorboard: bool = option(
        False, "Write the curves for TensorBoard too, into the folder `tensorboard` of the run", advanced=True
    )
    checkpoint_every_seconds: float = option(
        5.0, "Longest stretch of work that a crash can cost", advanced=True, unit="s", ge=0.05, le=86_400
    )
    keep_checkpoints: int = option(
        4, "Checkpoints kept besides the best and the pinned ones, evenly spread", advanced=True, ge=2, le=1000
    )
    priority: int = option(
        0, "A higher one starts first, and takes a lower one's device at a checkpoint", advanced=True, ge=-100, le=100
    )
    gpu_fraction: float = option(
        1.0, "Share of a GPU's memory that is enough; runs whose shares fit share the GPU", advanced=True, gt=0, le=1
    )
    max_restarts: int = option(2, "Restarts after a crash before the run fails", advanced=True, ge=0, le=100)
    name: Name | None = option(None, "A name for the run (default: dataset, network and a number)", advanced=True)

    @model_validator(mode="after")
    def _cluster_fits(self) -> Self:
        if self.cluster is not None and self.devices > 1:
            raise ValueError(
                f"devices is {self.devices} and cluster {self.cluster}; on a cluster, workers says how many processes "
                "share a step. Leave devices out."
            )
        if self.min_workers is not None and self.min_workers > self.workers:
            raise ValueError(f"min_workers is {self.min_workers}, above workers ({self.workers}).")
        if self.cluster is None and (self.workers != 2 or self.min_workers is not None):
            raise ValueError("workers are processes on a cluster; add cluster=auto, or use devices on this machine.")
        return self

    @model_validator(mode="after")
    def _compile_fits(self) -> Self:
        if self.compile == "on" and (self.devices > 1 or self.cluster is not None):
            raise ValueError("compile=on is for runs of one process; leave out devices and cluster, or compile.")
        return self

    @model_validator(mode="after")
    def _shard_fits(self) -> Self:
        if self.shard != "always":
            return self
        if self.devices == 1 and self.cluster is None:
            raise ValueError("shard=always cuts the network over several devices; add devices=2, or leave shard out.")
        if self.find_learning_rate and self.learning_rate is None:
            raise ValueError(
                "find_learning_rate tries rates on a copy of the network, for which shard=always leaves no room; "
                "give a learning_rate, or leave shard out."
            )
        return self
