"""The built-in networks on paper: what each is for, and which one is taken where none is named.

One table for all faces, without torch; `models.registry` has the code of each network under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from lepton_lab.errors import ModelError
from lepton_lab.specs import network_options as options
from lepton_lab.specs.base import Spec
from lepton_lab.specs.tasks import Problem

Pair = tuple[str, str]
"""A task and a modality."""

SCORED = ("classification", "multilabel", "regression")
"""Tasks whose answer is one row of numbers, whatever the rows are."""


AHEAD = ("forecasting",)
LIKING = ("rating", "ranking")


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
    "cnn": NetworkCard(options.CnnOptions, _pairs(SCORED, "image", "audio")),
    "resnet": NetworkCard(options.ResnetOptions, _pairs(SCORED, "image")),
    "quicknet": NetworkCard(options.QuicknetOptions, _pairs(SCORED, "image")),
    "rnn": NetworkCard(
        options.RnnOptions, _pairs(SCORED, "image", "audio", "sequence", "text") | _pairs(AHEAD, "series")
    ),
    "cnn1d": NetworkCard(options.Cnn1dOptions, _pairs(SCORED, "audio", "sequence", "text") | _pairs(AHEAD, "series")),
    "transformer": NetworkCard(
        options.TransformerOptions, _pairs(SCORED, "image", "audio", "sequence", "text") | _pairs(AHEAD, "series")
    ),
    "tcn": NetworkCard(options.TcnOptions, _pairs(SCORED, "audio", "sequence") | _pairs(AHEAD, "series")),
    "crnn": NetworkCard(options.CrnnOptions, _pairs(SCORED, "audio")),
    "mlp": NetworkCard(
        options.MlpOptions, _pairs(SCORED, "image", "audio", "sequence", "table") | _pairs(AHEAD, "series")
    ),
    "table_resnet": NetworkCard(options.TableResnetOptions, _pairs(SCORED, "table")),
    "linear": NetworkCard(options.LinearOptions, _pairs(AHEAD, "series")),
    "language": NetworkCard(options.LanguageOptions, _pairs(("language",), "text")),
    "factorisation": NetworkCard(options.FactorisationOptions, _pairs(LIKING, "interactions")),
    "two_tower": NetworkCard(options.TwoTowerOptions, _pairs(LIKING, "interactions")),
    "detector": NetworkCard(options.DetectorOptions, _pairs(("detection",), "image")),
}
"""The built-in networks by name."""

ONE_LENGTH = ("tcn", "mlp", "cnn", "crnn")
"""Networks that cannot read rows which have lengths of their own."""

_FIRST_CHOICE: dict[str, str] = {
    "image": "cnn",
    "audio": "cnn",
    "sequence": "cnn1d",
    "text": "rnn",
    "table": "mlp",
    "series": "linear",
    "interactions": "factorisation",
}
"""The network that is taken where none is named, by modality."""

_FIRST_CHOICE_FOR_TASK: dict[str, str] = {"language": "language", "detection": "detector", "ranking": "two_tower"}
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
        f"dataset asks for {_said(problem)}, of shape {tuple(problem.input_shape)}. "
        + (f"Select {_listed(others, 'or')} instead." if others else "Select a network of your own instead.")
    )


def _first_choice(problem: Problem) -> str | None:
    return _FIRST_CHOICE_FOR_TASK.get(problem.task) or _FIRST_CHOICE.get(problem.modality)


def _suits(name: str, problem: Problem) -> bool:
    can_read = not (problem.has_lengths and name in ONE_LENGTH)
    return can_read and (problem.task, problem.modality) in NETWORK_CARDS[name].suits


def _said(problem: Problem) -> str:
    lengths = " of different lengths" if problem.has_lengths else ""
    return f"{problem.task} of {problem.modality} rows{lengths}"


def _listed(words: list[str], joint: str) -> str:
    return " ".join([", ".join(words[:-1]), joint, words[-1]]) if len(words) > 1 else words[0]
