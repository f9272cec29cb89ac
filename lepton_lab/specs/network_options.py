"""The options of each built-in network; a class's docstring is the network's title in forms and help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from lepton_lab.specs.base import Fraction, Spec, option

if TYPE_CHECKING:
    from lepton_lab.specs.tasks import Problem

_LAST_DROPOUT = "Share of features left out at random before the last layer"
_TEXT_DROPOUT = "Share of features left out at random before the last layer (default: 0.1, for text 0.2)"
_EMBEDDING_HELP = "Text: width of a token's vector"
_CATEGORY_HELP = "Width of the vector of a category (a table's category column)"
_STEPS_HELP = "Steps that each number of a table is described by (0: numbers as they are)"


MANY_PIXELS = 24
"""Pictures with at least so many pixels a side have three stages: accuracy of Fashion-MNIST's validation part is 0.942
instead of 0.934."""


class CnnOptions(Spec):
    """A small convolutional network for images; for sounds it reads the spectrogram."""

    channels: int = option(32, "Feature maps of the first stage; each further stage has twice as many", ge=4, le=512)
    stages: int | None = option(
        None,
        "Stages of two convolutions and one halving (default: 2; 3 for sounds, and for pictures from 24 pixels a side)",
        ge=1,
        le=5,
    )
    dropout: Fraction = option(0.1, _LAST_DROPOUT)
    shift: int = option(
        6, "Sounds: mel bands that a sound moves up or down at random in training", advanced=True, ge=0, le=32
    )
    hide: Fraction = option(0.2, "Sounds: largest share of pitch and of time hidden in training", advanced=True)
    stretch: Fraction = option(
        0.2,
        "Sounds: largest share by which time is stretched or squeezed in training, pitch by three quarters of it",
        advanced=True,
    )

    def num_stages(self, problem: Problem) -> int:
        """Stages for these rows; what has many pixels is worth a third one."""
        if self.stages is not None:
            return self.stages
        is_large = problem.modality == "audio" or min(problem.input_shape[1:]) >= MANY_PIXELS
        return 3 if is_large else 2

    def filled_for(self, problem: Problem) -> Self:
        """As `Spec.filled_for`."""
        return self.changed(stages=self.num_stages(problem))


class ResnetOptions(Spec):
    """A residual network for images: three stages for small pictures, ResNet-18 for large ones."""

    form: Literal["auto", "cifar", "18"] = option("auto", "Three stages (cifar), or four with a coarse entry (18)")
    width: int | None = option(None, "Feature maps of the first stage (default: 32, or 64 in form 18)", ge=4, le=512)
    blocks: int = option(2, "Residual blocks of each stage", ge=1, le=18)
    dropout: Fraction = option(0.0, "Share of features left out at random within each block")


class QuicknetOptions(Spec):
    """The network of the speed records on small pictures: whitened pixels, wide convolutions."""

    width: int = option(64, "Feature maps of the first group; the others have four times as many", ge=4, le=512)


class DetectorOptions(Spec):
    """Finds objects in pictures: a box and a class for each."""

    width: int = option(32, "Feature maps of the first stage", ge=8, le=256)
    flip: bool = option(True, "Mirror pictures at random in training")
    flip_vertical: bool = option(
        False, "Turn pictures upside down at random too, where there is no up and down", advanced=True
    )
    confidence: float = option(0.05, "Least confidence of a box that is reported", advanced=True, ge=0, le=1)
    overlap: float = option(
        0.5, "Of two boxes of a class that overlap more, the surer one is kept", advanced=True, gt=0, le=1
    )


class RnnOptions(Spec):
    """A recurrent network for sequences, text and forecasts; an image is read row by row."""

    cell: Literal["lstm", "gru"] = option("lstm", "Kind of recurrent cell")
    hidden: int = option(96, "Width of the hidden state", ge=4, le=2048)
    layers: int = option(1, "Recurrent layers on top of each other", ge=1, le=6)
    bidirectional: bool = option(True, "Read the sequence in both directions")
    dropout: Fraction | None = option(None, _TEXT_DROPOUT)
    embedding: int = option(96, _EMBEDDING_HELP, advanced=True, ge=2, le=1024)


class Cnn1dOptions(Spec):
    """A one-dimensional convolutional network for sequences, text and sounds."""

    channels: int | None = option(None, "Filters of each block (default: 96, for text 256)", ge=4, le=2048)
    blocks: int | None = option(None, "Blocks of filters (default: 1 for text, 3 for other rows)", ge=1, le=12)
    dropout: Fraction | None = option(None, _TEXT_DROPOUT)
    embedding: int = option(128, _EMBEDDING_HELP, advanced=True, ge=2, le=1024)


class TransformerOptions(Spec):
    """A small Transformer encoder for text, sequences and sounds."""

    width: int = option(96, "Width of a step's vector", ge=8, le=1024)
    heads: int = option(4, "Heads of the attention", ge=1, le=16)
    layers: int = option(2, "Layers of attention", ge=1, le=24)
    dropout: Fraction = option(0.1, "Share of features left out at random in each layer")


class TcnOptions(Spec):
    """A temporal convolutional network: filters that reach further back with each block."""

    channels: int = option(48, "Filters of each block", ge=4, le=1024)
    kernel: int = option(3, "Length of a filter", ge=2, le=31)
    blocks: int | None = option(
        None, "Blocks (default: until the last step sees the whole row)", advanced=True, ge=1, le=12
    )
    dropout: Fraction = option(0.1, "Share of features left out at random in each block")


class LanguageOptions(Spec):
    """A recurrent language model: learns which token comes next, and writes on from a beginning."""

    cell: Literal["lstm", "gru"] = option("lstm", "Kind of recurrent cell")
    hidden: int = option(256, "Width of the hidden state", ge=4, le=4096)
    layers: int = option(1, "Recurrent layers on top of each other", ge=1, le=6)
    dropout: Fraction = option(0.1, _LAST_DROPOUT)
    embedding: int = option(64, "Width of a token's vector", advanced=True, ge=2, le=1024)


class CrnnOptions(Spec):
    """Convolutions over a sound's spectrogram, and a recurrent layer that reads what they find."""

    channels: int = option(32, "Feature maps of the first block", ge=4, le=512)
    blocks: int = option(3, "Blocks of two convolutions", ge=1, le=6)
    hidden: int = option(64, "Width of the hidden state", ge=4, le=1024)
    dropout: Fraction = option(0.2, _LAST_DROPOUT)
    shift: int = option(6, "Mel bands that a sound moves up or down at random in training", advanced=True, ge=0, le=32)
    hide: Fraction = option(0.2, "Largest share of pitch and of time hidden in training", advanced=True)
    stretch: Fraction = option(
        0.2, "Largest share by which time is stretched or squeezed in training, pitch by three quarters", advanced=True
    )


class MlpOptions(Spec):
    """A multi-layer perceptron for tables; other rows are flattened."""

    hidden: int = option(256, "Width of each hidden layer", ge=4, le=4096)
    layers: int = option(2, "Hidden layers", ge=1, le=8)
    dropout: Fraction = option(0.2, "Share of features left out at random in each hidden layer")
    members: int = option(
        4,
        "Tables: networks that share hidden layers and answer together",
        advanced=True,
        ge=1,
        le=64,
    )
    embedding: int = option(8, _CATEGORY_HELP, advanced=True, ge=1, le=256)
    steps: int = option(32, _STEPS_HELP, advanced=True, ge=0, le=256)


class TableResnetOptions(Spec):
    """A residual network for tables."""

    hidden: int = option(128, "Width of each block", ge=4, le=4096)
    blocks: int = option(2, "Residual blocks", ge=1, le=16)
    dropout: Fraction = option(0.2, "Share of features left out at random in each block")
    embedding: int = option(8, _CATEGORY_HELP, advanced=True, ge=1, le=256)
    steps: int = option(32, _STEPS_HELP, advanced=True, ge=0, le=256)


class LinearOptions(Spec):
    """Forecasts by two linear maps, of a series' trend and of the rest: the baseline that is hard to beat."""

    average: int = option(25, "Steps of the moving average that is the trend", ge=1, le=10_000)


class FactorisationOptions(Spec):
    """Matrix factorisation: how well a user's vector fits an item's, beside the mean ratings of both."""

    factors: int = option(16, "Width of the vectors", ge=1, le=512)
    trust: float = option(
        2.0, "Ratings after which a user's or an item's own mean is half believed", advanced=True, ge=0, le=1000
    )
    dropout: Fraction = option(0.2, "Share of the vectors left out at random")


class TwoTowerOptions(Spec):
    """Two small networks, one of the user and one of the item, compared by the product of what they say."""

    embedding: int = option(32, "Width of the vectors", ge=1, le=512)
    hidden: int = option(64, "Width of the hidden layer of each network", ge=4, le=1024)
    dropout: Fraction = option(0.2, "Share of features left out at random")
