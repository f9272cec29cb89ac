"""The built-in networks on paper: the options of each, what it is for, and which one is taken where none is named.

One table for all faces, without torch; `models.registry` has the code of each network under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

from lepton_lab.errors import ModelError
from lepton_lab.specs.base import Fraction, Spec, option
from lepton_lab.specs.tasks import Problem


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


Pair = tuple[str, str]
"""A task and a modality."""

SCORED = ("classification", "multilabel", "regression")
"""Tasks whose answer is one row of numbers, whatever the rows are."""


def _pairs(tasks: tuple[str, ...], *modalities: str) -> frozenset[Pair]:
    return frozenset(product(tasks, modalities))


@dataclass(frozen=True)
class NetworkCard:
    """What is known of a built-in network without building it.

    Attributes:
        options: The spec of its options; its docstring is the network's title.
        suits: Every (task, modality) that it is for.
    """

    options: type[Spec]
    suits: frozenset[Pair]

    @property
    def modalities(self) -> list[str]:
        """What its rows may be, in alphabetical order."""
        return sorted({modality for _, modality in self.suits})


NETWORK_CARDS: dict[str, NetworkCard] = {
    "cnn": NetworkCard(CnnOptions, _pairs(SCORED, "image", "audio")),
    "rnn": NetworkCard(RnnOptions, _pairs(SCORED, "image", "audio", "sequence")),
    "mlp": NetworkCard(MlpOptions, _pairs(SCORED, "image", "audio", "sequence", "table")),
}
"""The built-in networks by name."""

_FIRST_CHOICE: dict[str, str] = {"image": "cnn", "audio": "cnn", "sequence": "rnn", "table": "mlp"}
"""The network that is taken where none is named, by modality."""

_FIRST_CHOICE_FOR_TASK: dict[str, str] = {}
"""The same for tasks that need a network of their own kind."""


def networks_for(problem: Problem) -> list[str]:
    """Names of the built-in networks that suit a problem, the default first."""
    first = _first_choice(problem)
    names = [name for name in NETWORK_CARDS if _suits(name, problem)]
    return sorted(names, key=lambda name: name != first)


def default_network(problem: Problem) -> str:
    """The network that is taken where none is named.

    Raises:
        ModelError: No built-in network is for this.
    """
    names = networks_for(problem)
    if not names:
        raise ModelError(
            f"There is no built-in network for {_said(problem)}; select one of your own, a class made from nn.Module."
        )
    return names[0]


def require_suits(name: str, problem: Problem) -> None:
    """Refuses a built-in network that cannot answer a problem.

    Raises:
        ModelError: With the networks that can.
    """
    if _suits(name, problem):
        return
    others = networks_for(problem)
    tasks = sorted({task for task, _ in NETWORK_CARDS[name].suits})
    raise ModelError(
        f"{name} is for {_listed(tasks, 'and')} on {_listed(NETWORK_CARDS[name].modalities, 'or')} rows; this "
        f"dataset asks for {_said(problem)}, each of shape {tuple(problem.input_shape)}. "
        + (f"Select {_listed(others, 'or')} instead." if others else "Select a network of your own instead.")
    )


def _first_choice(problem: Problem) -> str | None:
    return _FIRST_CHOICE_FOR_TASK.get(problem.task) or _FIRST_CHOICE.get(problem.modality)


def _suits(name: str, problem: Problem) -> bool:
    return (problem.task, problem.modality) in NETWORK_CARDS[name].suits


def _said(problem: Problem) -> str:
    return f"{problem.task} of {problem.modality} rows"


def _listed(words: list[str], joint: str) -> str:
    return " ".join([", ".join(words[:-1]), joint, words[-1]]) if len(words) > 1 else words[0]
