"""The one table of verbs: what each is called, what it takes, what it says of itself, which session call it stands for.

Every face reads this table: the magic, its completion, the command line and the code line under the studio's forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import UnknownName
from lepton_lab.specs import MODEL_OPTIONS, DataSpec, DeploySpec, TrainSpec
from lepton_lab.verbs import calls
from lepton_lab.verbs.options import Option, options_of

if TYPE_CHECKING:
    from lepton_lab.session import Session

Values = dict[str, Any]


@dataclass(frozen=True)
class Positional:
    """A word without a flag. `values` says what completion offers, as in `Option`."""

    name: str
    help: str
    values: str
    required: bool = False


@dataclass(frozen=True)
class Verb:
    """One verb of lepton_lab.

    Attributes:
        name: The word.
        help: One sentence for a person.
        call: The session call: (session, values, cell) -> the object to show.
        positionals: Words without flags, in order.
        options: The options it always has.
        takes_cell: Whether the cell below `%%lepton` belongs to it.
        hidden: Options that work but stand in another verb's help (`--data-target` of `train`).
        needs_notebook: Whether it makes no sense in a terminal.
    """

    name: str
    help: str
    call: Callable[[Session, Values, str | None], Any]
    positionals: tuple[Positional, ...] = ()
    options: tuple[Option, ...] = ()
    takes_cell: bool = False
    hidden: tuple[Option, ...] = ()
    needs_notebook: bool = False


def options_for(verb: Verb, words: list[str]) -> tuple[Option, ...] | None:
    """The options that a line with these words may carry; None where any is allowed (a network of one's own)."""
    if verb.name != "model":
        return verb.options
    first = words[0] if words and not words[0].startswith("-") else None
    name = first or next((word for word in words if word in MODEL_OPTIONS), None)
    if name is None:
        return verb.options
    return (*verb.options, *options_of(MODEL_OPTIONS[name])) if name in MODEL_OPTIONS else None


def _prefixed(prefix: str, options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(Option(**{**option.__dict__, "name": f"{prefix}_{option.name}"}) for option in options)


def _every_network_option() -> tuple[Option, ...]:
    """The options of all built-in networks, each name once; the network's own spec checks the value later."""
    by_name = {option.name: option for spec in MODEL_OPTIONS.values() for option in options_of(spec)}
    return tuple(by_name.values())


_RUN = Positional("run", "A run's name (default: the last run)", "run")
_DATA_OPTIONS = options_of(DataSpec, ("name",))
_NAMED_SOURCES = (
    Option("data", str, "Dataset to train on, where none is loaded yet", group="source", values="dataset"),
    Option("model", str, "Network to train, where none is selected yet", group="source", values="model"),
)

_ALL = (
    Verb(
        "data",
        "Load a dataset: a known name, a CSV file, a folder with a folder per class, or a variable of the notebook.",
        calls.data,
        (Positional("name", "digits, fashion-mnist, a path, or a variable", "dataset", required=True),),
        _DATA_OPTIONS,
    ),
    Verb(
        "model",
        "Select a network for the dataset: cnn, rnn, mlp, or one of your own (its class, or its code in the cell).",
        calls.model,
        (Positional("name", "cnn, rnn, mlp or a class (default: the one that suits the dataset)", "model"),),
        (Option("class_name", str, "The class to build, where the cell defines several networks", group="advanced"),),
        takes_cell=True,
    ),
    Verb(
        "train",
        "Train in a process of its own. A notebook goes on at once; a terminal shows the progress and waits.",
        calls.train,
        (),
        (
            *options_of(TrainSpec),
            Option("wait", bool, "Wait for the end, or go on at once", group="advanced"),
            *_NAMED_SOURCES,
        ),
        hidden=(*_prefixed("data", _DATA_OPTIONS), *_prefixed("model", _every_network_option())),
    ),
    Verb("evaluate", "Show how a run does on the test rows; waits for the run to end.", calls.evaluate, (_RUN,)),
    Verb(
        "deploy",
        "Put a run's network online as an endpoint; the same name gets a new version on the same URL.",
        calls.deploy,
        (_RUN,),
        options_of(DeploySpec),
    ),
    Verb(
        "predict",
        "Ask an endpoint over HTTP: a test row of its dataset, a file, or values as JSON.",
        calls.predict,
        (Positional("endpoint", "An endpoint's name (default: the last one)", "endpoint"),),
        (
            Option("row", int, "Number of a test row (default 0)"),
            Option("file", str, "A picture, or a CSV file with one row per prediction", values="path"),
            Option("input", str, "One input as JSON: a list of numbers, or an object with a value per column"),
        ),
    ),
    Verb("runs", "List the runs, the newest first.", calls.runs, (), (Option("limit", int, "How many", default=20),)),
    Verb("run", "Show one run, live.", calls.run, (_RUN,)),
    Verb(
        "stop",
        "Stop a run (its last checkpoint stays) or an endpoint.",
        calls.stop,
        (Positional("name", "A run or an endpoint (default: the run that is active)", "run or endpoint"),),
        (
            Option("hard", bool, "End the run's process at once, without a last checkpoint", default=False),
            Option("endpoint", bool, "Stop the endpoint, where a run has the same name", default=False),
        ),
    ),
    Verb("pause", "Pause a run; it keeps its place.", calls.pause, (_RUN,)),
    Verb("resume", "Go on with a paused, stopped or failed run.", calls.resume, (_RUN,)),
    Verb(
        "set",
        "Change a running run.",
        calls.set_options,
        (_RUN,),
        (Option("learning_rate", float, "The new step length"),),
    ),
    Verb("endpoints", "List the endpoints.", calls.endpoints),
    Verb("status", "Say what is loaded, what is running and what is online.", calls.status),
    Verb(
        "studio",
        "Open the form: all five steps, each with the line that it stands for.",
        calls.studio,
        needs_notebook=True,
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _ALL}
"""Every verb by its name, in the order of the work."""


def verb_named(name: str) -> Verb:
    """The verb of this name.

    Raises:
        UnknownName: With the nearest verbs, if there is none.
    """
    if name not in VERBS:
        raise UnknownName("verb", name, VERBS)
    return VERBS[name]
