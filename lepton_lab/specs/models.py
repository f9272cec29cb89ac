"""Which network, with which options."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from lepton_lab.errors import UnknownName
from lepton_lab.specs.base import Name, Spec, option
from lepton_lab.specs.networks import NETWORK_CARDS
from lepton_lab.specs.tasks import Problem

MODEL_OPTIONS: dict[str, type[Spec]] = {name: card.options for name, card in NETWORK_CARDS.items()}
"""The options of each built-in network, by the name it is selected with."""


class ModelSpec(Spec):
    """Which network, with its options; a network of one's own travels as its source."""

    name: Name = option("cnn", "A built-in network, or the name of a network of your own")
    options: dict[str, Any] = option({}, "The network's own options (for a class of your own: its keyword arguments)")
    source: str | None = option(None, "Python source of a network of your own", advanced=True)
    class_name: str | None = option(None, "The class in `source` to build", advanced=True)

    weights: str | None = option(
        None, "A safetensors file to go on from; what does not fit by name and shape starts anew", advanced=True
    )
    freeze: str | None = option(
        None, "Layers that stay as they are, as names with * (needs weights): stem,stages.*", advanced=True
    )

    @model_validator(mode="after")
    def _freezes_what_is_there(self) -> Self:
        if self.freeze and not self.weights:
            raise ValueError("freeze keeps layers as they are and needs weights, the file that they come from.")
        return self

    @model_validator(mode="after")
    def _options_fit_the_network(self) -> Self:
        if self.source is None:
            if self.name not in MODEL_OPTIONS:
                raise ValueError(str(UnknownName("model", self.name, MODEL_OPTIONS)))
            MODEL_OPTIONS[self.name].parse(self.options)
        elif not self.class_name:
            raise ValueError("class_name is missing; it says which class of the source to build.")
        return self

    def typed_options(self, problem: Problem | None = None) -> Spec:
        """The built-in network's options with their defaults filled in; those that depend on the rows by `problem`."""
        options = MODEL_OPTIONS[self.name].parse(self.options)
        return options if problem is None else options.filled_for(problem)
