"""The one table of verbs: what each is called, what it takes, what it says of itself, which session call it stands for.

Every face reads this table: the magic, its completion, the command line and the code line under the studio's forms.
"""

from __future__ import annotations

from collections.abc import Sequence

from lepton_lab.errors import UnknownName
from lepton_lab.specs import MODEL_OPTIONS, CompressSpec, DataSpec, DeploySpec, ModelSpec, TrainSpec, TuneSpec
from lepton_lab.verbs import calls
from lepton_lab.verbs.kept import KEPT, RUN, every_network_option, prefixed
from lepton_lab.verbs.options import Option, options_of
from lepton_lab.verbs.verb import Positional, Verb


def options_for(verb: Verb, words: list[str]) -> tuple[Option, ...] | None:
    """The options that a line with these words may carry; None where any is allowed (a network of one's own)."""
    if verb.name != "model":
        return verb.options
    first = words[0] if words and not words[0].startswith("-") else None
    name = first or next((word for word in words if word in MODEL_OPTIONS), None)
    if name is None:
        return verb.options
    return (*verb.options, *options_of(MODEL_OPTIONS[name])) if name in MODEL_OPTIONS else None


_DATA_OPTIONS = options_of(DataSpec, ("name",))
_NAMED_SOURCES = (
    Option("data", str, "Dataset to train on, where none is loaded yet", group="source", values="dataset"),
    Option("model", str, "Network to train, where none is selected yet", group="source", values="model"),
)

_STUDY = Positional("study", "A study's name (default: the newest)", "study")

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
        "Select a network for the dataset: a built-in one, or one of your own (class, file, or code in the cell).",
        calls.model,
        (Positional("name", "cnn, rnn, ..., a class or a .py file (default: what suits the data)", "model"),),
        (
            Option("class_name", str, "The class to build, where the code defines several networks", group="advanced"),
            *options_of(ModelSpec, ("name", "class_name", "source")),
        ),
        takes_cell=True,
    ),
    Verb(
        "summary",
        "Show the selected network before it is trained: layers, shapes, parameters, FLOPs, memory.",
        calls.summary,
        (),
        (Option("batch_size", int, "Rows of a step, for the memory", default=32),),
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
        hidden=(*prefixed("data", _DATA_OPTIONS), *prefixed("model", every_network_option())),
    ),
    Verb(
        "tune",
        "Search for good options: many trials, each an ordinary run; those that fall behind are given up early.",
        calls.tune,
        (),
        (
            *options_of(TuneSpec),
            Option("wait", bool, "Wait for the end, or go on at once", group="advanced"),
            *_NAMED_SOURCES,
        ),
        hidden=(
            *options_of(TrainSpec, ("name",)),
            *prefixed("data", _DATA_OPTIONS),
            *prefixed("model", every_network_option()),
        ),
    ),
    Verb("evaluate", "Show how a run does on the test rows; waits for the run to end.", calls.evaluate, (RUN,)),
    Verb(
        "compress",
        "Make small variants of a finished run's network, and compare them: size, speed, accuracy.",
        calls.compress,
        (RUN,),
        (
            *options_of(CompressSpec),
            Option("wait", bool, "Wait for the table, or go on at once", group="advanced"),
            Option("show", bool, "Show the variants that are there; make none", default=False),
        ),
    ),
    Verb(
        "deploy",
        "Put a run's network online as an endpoint; the same name gets a new version on the same URL.",
        calls.deploy,
        (RUN,),
        options_of(DeploySpec),
    ),
    Verb(
        "rollback",
        "Go back to an earlier version of an endpoint, without a dropped request.",
        calls.rollback,
        (Positional("endpoint", "An endpoint's name (default: the last one)", "endpoint"),),
        (Option("version", int, "The version (default: the one before)"),),
    ),
    Verb(
        "usage",
        "Show what each key of an endpoint has asked for.",
        calls.usage,
        (Positional("endpoint", "An endpoint's name (default: the last one)", "endpoint"),),
        (Option("csv", str, "Also write the table to this file, for a bill", values="path"),),
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
    Verb("run", "Show one run, live.", calls.run, (RUN,)),
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
    Verb("pause", "Pause a run; it keeps its place.", calls.pause, (RUN,)),
    Verb("resume", "Go on with a paused, stopped or failed run.", calls.resume, (RUN,)),
    Verb(
        "set",
        "Change a running run.",
        calls.set_options,
        (RUN,),
        (Option("learning_rate", float, "The new step length"),),
    ),
    *KEPT,
    Verb("studies", "List the studies.", calls.studies),
    Verb("studies show", "Show a study and its trials, the best first.", calls.show_study, (_STUDY,)),
    Verb(
        "studies stop",
        "End a study; its trials at work are stopped, and what has been found stays.",
        calls.stop_study,
        (Positional("study", "A study's name", "study", required=True),),
    ),
    Verb("endpoints", "List the endpoints.", calls.endpoints),
    Verb("status", "Say what is loaded, what is running and what is online.", calls.status),
    Verb(
        "language",
        "Say or set the language of help, errors and cards; kept for later in config.toml.",
        calls.language,
        (Positional("name", "en, zh, or auto (what JupyterLab or the system says)", "language"),),
    ),
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


def verb_of(words: Sequence[str]) -> tuple[Verb, int]:
    """The verb that a line begins with, and how many of its words are the verb's: "runs rename" has two.

    Raises:
        UnknownName: With the nearest verbs, if there is none.
    """
    two = " ".join(words[:2])
    if len(words) > 1 and two in VERBS:
        return VERBS[two], 2
    verb = verb_named(words[0])
    deeper = [name for name in VERBS if name.startswith(verb.name + " ")]
    if deeper and not verb.positionals and len(words) > 1 and not words[1].startswith("-"):
        raise UnknownName("verb", two, deeper)
    return verb, 1
