"""The verbs about runs that are there: list, label, try again, branch, compare, queue, tidy up."""

from __future__ import annotations

from lepton_lab.specs import MODEL_OPTIONS, DataSpec, TrainSpec
from lepton_lab.verbs import kept_calls as calls
from lepton_lab.verbs.options import Option, options_of
from lepton_lab.verbs.verb import Positional, Verb

RUN = Positional("run", "A run's name (default: the last run)", "run")
_ONE = Positional("run", "A run's name", "run", required=True)
_SEVERAL = Positional("runs", "Names of runs", "run", required=True, many=True)
_SORTS = ("created", "name", "state", "epoch", "val_metric", "test_metric", "val_loss", "elapsed_seconds")
_STATES = ("queued", "starting", "running", "paused", "stopping", "finished", "stopped", "failed")
_NEW_NAME = Option("name", str, "Name of the new run")


def prefixed(prefix: str, options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The same options with longer names, for verbs that take another verb's: `--data-target`."""
    return tuple(Option(**{**option.__dict__, "name": f"{prefix}_{option.name}"}) for option in options)


def every_network_option() -> tuple[Option, ...]:
    """The options of all built-in networks, each name once; the network's own spec checks the value later."""
    by_name = {option.name: option for spec in MODEL_OPTIONS.values() for option in options_of(spec)}
    return tuple(by_name.values())


KEPT = (
    Verb(
        "runs",
        "List the runs, the newest first.",
        calls.runs,
        (),
        (
            Option("limit", int, "How many", default=20),
            Option("search", str, "Words in the name, title, tags, note, dataset or network"),
            Option("state", str, "Only runs in this state", choices=_STATES),
            Option("tag", str, "Only runs with this tag"),
            Option("sort", str, "What to sort by", choices=_SORTS),
            Option("reverse", bool, "Turn the order round", default=False),
            Option("sizes", bool, "Say what each takes on disk", default=False),
        ),
    ),
    Verb("runs show", "Show a run's options, labels, lineage, checkpoints and size.", calls.show, (RUN,)),
    Verb(
        "runs rename",
        "Give a run a title; its name stays its address. Without a title it is shown by its name again.",
        calls.rename,
        (_ONE, Positional("title", "One line", "")),
    ),
    Verb(
        "runs tag",
        "Put tags on a run, or take them off.",
        calls.tag,
        (_ONE, Positional("tags", "Words without spaces", "", required=True, many=True)),
        (Option("remove", bool, "Take them off", default=False),),
    ),
    Verb(
        "runs note",
        "Write a run's note, in place of the one before; without a text it is taken away.",
        calls.note,
        (_ONE, Positional("text", "The note", "")),
    ),
    Verb(
        "runs pin",
        "Keep a run, or one of its checkpoints, from being deleted.",
        calls.pin,
        (_ONE,),
        (
            Option("pinned", bool, "Put the pin on, or take it off", default=True),
            Option("checkpoint", int, "The step of the checkpoint to pin", unit="step"),
        ),
    ),
    Verb(
        "runs delete",
        "Delete a run that has ended or waits, with all its files.",
        calls.delete,
        (_ONE,),
        (Option("force", bool, "Delete it although it is pinned", default=False),),
    ),
    Verb(
        "runs gc",
        "Say what could be freed on disk, and free it only with --apply.",
        calls.gc,
        (),
        (
            Option("apply", bool, "Free it", default=False),
            Option("keep_checkpoints", int, "Checkpoints that stay besides the best and the pinned", default=1),
            Option("caches", bool, "Prepared datasets that no run needs, too", default=False),
            Option("older_than_days", float, "Whole runs that ended longer ago, too", unit="days"),
        ),
    ),
    Verb(
        "runs export",
        "Write runs as CSV, for TensorBoard or for MLflow.",
        calls.export,
        (_SEVERAL,),
        (
            Option(
                "format",
                str,
                "A row a run (csv), all points (curves), or another program's files",
                default="csv",
                choices=("csv", "curves", "tensorboard", "mlflow"),
            ),
            Option("to", str, "A file, a folder, or MLflow's address (default: print)", values="path"),
        ),
    ),
    Verb(
        "runs move",
        "Move a run's folder out of the store, to open it on another machine.",
        calls.move,
        (_ONE, Positional("folder", "Where to", "path", required=True)),
    ),
    Verb(
        "runs import",
        "Copy a run from elsewhere into the store: a folder, or what a lost host has left on shared storage.",
        calls.import_run,
        (Positional("folder", "A run's folder, or its name on shared storage", "path", required=True),),
        (
            _NEW_NAME,
            Option("move", bool, "Take the copies off the shared storage", default=False),
        ),
    ),
    Verb(
        "runs verify",
        "Prove a finished run: train again from a checkpoint in a process of its own, and compare every bit.",
        calls.verify,
        (RUN,),
    ),
    Verb("runs trust", "Say that the code of a run from elsewhere may be run here.", calls.trust, (_ONE,)),
    Verb("checkpoint", "Save a checkpoint of a run now.", calls.checkpoint, (RUN,)),
    Verb("retry", "Try a failed or stopped run again, from its last checkpoint.", calls.retry, (RUN,)),
    Verb(
        "continue",
        "Train a run longer: a new run that goes on from its last checkpoint.",
        calls.train_longer,
        (RUN,),
        (Option("epochs", int, "Epochs to add", default=10), _NEW_NAME, *options_of(TrainSpec, ("epochs", "name"))),
    ),
    Verb(
        "fork",
        "Start a new run from a checkpoint of another one, with changed options.",
        calls.fork,
        (RUN,),
        (
            Option("step", int, "Whose checkpoint (default: the last)"),
            _NEW_NAME,
            *options_of(TrainSpec, ("name",)),
        ),
        hidden=(*prefixed("data", options_of(DataSpec, ("name",))), *prefixed("model", every_network_option())),
    ),
    Verb(
        "compare",
        "Put runs side by side: the options in which they differ, and their results.",
        calls.compare,
        (_SEVERAL,),
        (
            Option("sort", str, "The column to sort by, such as val_accuracy or learning_rate"),
            Option("descending", bool, "The largest first", default=False),
            Option("all_options", bool, "Options that are the same for all, too", default=False),
        ),
    ),
    Verb(
        "queue",
        "Show what is at work and what waits, or change a run's priority or place.",
        calls.queue,
        (Positional("run", "The run to change", "run"),),
        (
            Option("priority", int, "From -100 to 100; a higher one starts first"),
            Option("place", int, "Place among the runs of its priority; 1 is next"),
        ),
    ),
)
"""In the order of the work."""
