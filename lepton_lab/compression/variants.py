"""From a recipe to a bundle. Networks that several recipes begin with are made once and kept."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lepton_lab.compression.folding import fold_norms
from lepton_lab.compression.int8 import dynamic_int8, simplified, static_int8
from lepton_lab.compression.limit import prune_to_the_limit
from lepton_lab.compression.material import Material
from lepton_lab.compression.pruning import KeptZeros, Pruning
from lepton_lab.compression.rounding import Rounding, rounded_activations
from lepton_lab.compression.sharing import Sharing
from lepton_lab.compression.slimming import slim
from lepton_lab.compression.students import student
from lepton_lab.compression.tuning import Constraint, Together, matrices, tune
from lepton_lab.serving.engine import Inputs
from lepton_lab.serving.export import Exported, compare, export_model, samples_of, write_bundle
from lepton_lab.serving.manifest import PACKED_FILE
from lepton_lab.serving.packed import pack
from lepton_lab.specs import CompressSpec, ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from lepton_lab.data import PreparedDataset

QAT_BITS = 7
"""What `int8.static_int8` leaves of a weight's bits."""
STUDENT_EPOCHS = 3.0
"""A student begins from nothing and gets so many times the epochs of a fine-tuning."""
SLIM_ROUNDS = 2
Said = Callable[[str, float], None]


class Workshop:
    """Makes the variants of one trained network.

    Args:
        original: The trained network, in evaluation mode.
        model_spec: What it was built from.
        dataset: What it was trained on.
        spec: How to compress.
        say: Told what is being done and how far it is.
        in_bfloat16: Whether fine-tuning computes in bfloat16.
    """

    def __init__(
        self,
        original: nn.Module,
        model_spec: ModelSpec,
        dataset: PreparedDataset,
        spec: CompressSpec,
        say: Said,
        *,
        in_bfloat16: bool = False,
    ) -> None:
        self._model_spec, self._dataset, self._spec, self._say = model_spec, dataset, spec, say
        self._original = original
        self._samples = samples_of(dataset)
        self._made: dict[tuple[str, ...], nn.Module] = {(): original}
        self.material = Material.of(original, dataset, in_bfloat16=in_bfloat16)

    def make(self, recipe: str) -> Exported:
        """Makes a variant.

        Args:
            recipe: In its normal form.

        Returns:
            The compressed ONNX model, and how it compares with the original network on real samples.

        Raises:
            LeptonError: If this network cannot be treated so.
        """
        steps = recipe.split("+")
        network = self.network(_in_torch(recipe))
        exported = export_model(network, self._samples, self._dataset.task)
        model = simplified(exported.model)
        if steps[-1] == "dynamic-int8":
            model = dynamic_int8(model)
        elif steps[-1] in ("static-int8", "qat-int8"):
            model = static_int8(model, self._calibration())
        return replace(
            exported, model=model, verification=compare(self._original, model, self._samples, self._dataset.task)
        )

    def write(self, made: Exported, recipe: str, run_info: dict[str, Any], folder: Path) -> None:
        """Writes a variant's bundle.

        Args:
            made: What `make` gave.
            recipe: In its normal form.
            run_info: As `export_bundle` takes it.
            folder: Where the bundle will stand.
        """
        started = time.perf_counter()
        found = {"recipe": recipe, **self._spec.model_dump(mode="json"), "zeros": self.zeros(recipe)}
        info = {**run_info, "compression": found}
        write_bundle(made, {PACKED_FILE: pack(made.model)}, self._dataset, info, folder, started=started)

    def zeros(self, recipe: str) -> float:
        """Share of zeros among the weights of a variant's kernels and matrices."""
        weights = matrices(self.network(_in_torch(recipe))).values()
        num_zeros = sum(int((weight == 0).sum()) for weight in weights)
        return round(num_zeros / max(1, sum(weight.numel() for weight in weights)), 4)

    def network(self, steps: tuple[str, ...]) -> nn.Module:
        """The network after some steps; do not change it."""
        if steps not in self._made:
            before = self.network(steps[:-1])
            name = "+".join(steps)
            self._say(name, 0.0)
            self._made[steps] = _STEPS[steps[-1]](self, copy.deepcopy(before), lambda share: self._say(name, share))
        return self._made[steps]

    def distilled(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """A narrower network of the same kind, taught by the original."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._spec.seed)
            small = student(self._model_spec, self._spec.width, self._dataset.problem)
        rate = getattr(type(small), "learning_rates", {}).get("adamw", 5 * self._spec.learning_rate)
        return self._tuned(small, None, STUDENT_EPOCHS, rate, progress)

    def slimmed(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """Fewer channels, in rounds of taking out and fine-tuning."""
        for number in range(SLIM_ROUNDS):
            slim(network, self.material, self._spec.width ** (1 / SLIM_ROUNDS), self._spec.seed)

            def said(share: float, number: int = number) -> None:
                progress((number + share) / SLIM_ROUNDS)

            self._tuned(network, None, 1.0, 2 * self._spec.learning_rate, said)
        return network

    def pruned(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """More and more zeros."""
        rate = 2 * self._spec.learning_rate
        if self._spec.sparsity is not None:
            return self._tuned(network, Pruning(network, self._spec.sparsity), 1.0, rate, progress)

        def tuned(network: nn.Module, held: Pruning, times: float, said: Callable[[float], None]) -> nn.Module:
            return self._tuned(network, held, times, rate, said)

        return prune_to_the_limit(network, self._dataset, tuned, self._spec.max_loss, progress)

    def shared(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """Few values a layer."""
        fold_norms(network)
        sharing = Sharing(network, self._spec.levels)
        return _halved(self._tuned(network, sharing, 0.5, 0.5 * self._spec.learning_rate, progress))

    def rounded(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """Weights of 4 bits."""
        fold_norms(network)
        constraint = Together(KeptZeros(network), Rounding(network, 4))
        return _halved(self._tuned(network, constraint, 1.0, self._spec.learning_rate, progress))

    def made_for_int8(self, network: nn.Module, progress: Callable[[float], None]) -> nn.Module:
        """Weights and activations that 8 bits hold well."""
        fold_norms(network)
        with rounded_activations(network):
            constraint = Together(KeptZeros(network), Rounding(network, QAT_BITS))
            return self._tuned(network, constraint, 0.5, 0.5 * self._spec.learning_rate, progress)

    def _tuned(
        self,
        network: nn.Module,
        constraint: Constraint | None,
        times: float,
        learning_rate: float,
        progress: Callable[[float], None],
    ) -> nn.Module:
        if len(self._dataset.input_shape) == 3:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return tune(
            network,
            self.material,
            epochs=times * self._spec.epochs,
            learning_rate=learning_rate,
            constraint=constraint,
            seed=self._spec.seed,
            progress=progress,
        )

    def _calibration(self) -> Inputs:
        """Training rows, prepared."""
        index = torch.arange(min(self._spec.calibration_rows, len(self.material)))
        return tuple(np.ascontiguousarray(each.numpy()) for each in self.material.rows.batch(index).inputs)


def _in_torch(recipe: str) -> tuple[str, ...]:
    """The steps that change the network; the others change what was exported."""
    return tuple(step for step in recipe.split("+") if step not in ("dynamic-int8", "static-int8"))


_STEPS: dict[str, Callable[[Workshop, Any, Callable[[float], None]], Any]] = {
    "distill": Workshop.distilled,
    "slim": Workshop.slimmed,
    "prune": Workshop.pruned,
    "share": Workshop.shared,
    "int4": Workshop.rounded,
    "qat-int8": Workshop.made_for_int8,
}


@torch.no_grad()
def _halved(network: nn.Module) -> nn.Module:
    """Biases and norms as numbers that two bytes hold exactly."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.is_floating_point() and tensor.ndim < 2:
            tensor.copy_(tensor.clamp(-6e4, 6e4).half().float())
    return network
