"""Which network, and the options of each built-in one."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from lepton_lab.errors import UnknownName
from lepton_lab.specs.base import Fraction, Name, Spec, option


class CnnOptions(Spec):
    """A small convolutional network for images."""

    channels: int = option(32, "Feature maps of the first stage; each further stage has twice as many", ge=4, le=512)
    stages: int = option(2, "Stages of two convolutions and one halving of the picture", ge=1, le=5)
    dropout: Fraction = option(0.1, "Share of features left out at random before the last layer")


class RnnOptions(Spec):
    """A recurrent network for sequences; an image is read row by row."""

    cell: Literal["lstm", "gru"] = option("lstm", "Kind of recurrent cell")
    hidden: int = option(96, "Width of the hidden state", ge=4, le=2048)
    layers: int = option(1, "Recurrent layers on top of each other", ge=1, le=6)
    bidirectional: bool = option(True, "Read the sequence in both directions")
    dropout: Fraction = option(0.1, "Share of features left out at random before the last layer")


class MlpOptions(Spec):
    """A multi-layer perceptron for tables."""

    hidden: int = option(128, "Width of each hidden layer", ge=4, le=4096)
    layers: int = option(2, "Hidden layers", ge=1, le=8)
    dropout: Fraction = option(0.1, "Share of features left out at random in each hidden layer")


MODEL_OPTIONS: dict[str, type[Spec]] = {"cnn": CnnOptions, "rnn": RnnOptions, "mlp": MlpOptions}
"""The options of each built-in network, by the name it is selected with."""


class ModelSpec(Spec):
    """Which network, with its options; a network of one's own travels as its source."""

    name: Name = option("cnn", "cnn, rnn, mlp, or the name of a network of your own")
    options: dict[str, Any] = option({}, "The network's own options (for a class of your own: its keyword arguments)")
    source: str | None = option(None, "Python source of a network of your own", advanced=True)
    class_name: str | None = option(None, "The class in `source` to build", advanced=True)

    @model_validator(mode="after")
    def _options_fit_the_network(self) -> Self:
        if self.source is None:
            if self.name not in MODEL_OPTIONS:
                raise ValueError(str(UnknownName("model", self.name, MODEL_OPTIONS)))
            MODEL_OPTIONS[self.name].parse(self.options)
        elif not self.class_name:
            raise ValueError("class_name is missing; it says which class of the source to build.")
        return self

    def typed_options(self) -> Spec:
        """The built-in network's options with their defaults filled in."""
        return MODEL_OPTIONS[self.name].parse(self.options)
