"""The functions of `import lepton_lab as lepton`: each is a call of the process's session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lepton_lab import session, widgets
from lepton_lab.session import (
    ComparisonView,
    Compression,
    Dataset,
    Endpoint,
    EndpointList,
    GcView,
    Model,
    Prediction,
    Predictions,
    QueueView,
    Report,
    Run,
    RunList,
    Said,
    Status,
    StudioView,
    Study,
    StudyList,
)

widgets.install()


def load_data(source: Any, target: Any = None, **options: Any) -> Dataset:
    """Loads a dataset: a known name, a CSV file, a folder of class folders, a data frame, or arrays.

    Args:
        source: `"digits"`, a path, a frame, `(inputs, labels)` or an array of inputs.
        target: The column to predict of a table, or the labels of an array of inputs.
        **options: validation_fraction, test_fraction, split_seed, normalize, missing, image_size, mirror.

    Raises:
        UnknownName: If there is no such dataset.
        DataError: If the data cannot be read or trained on; names the file, row or column.
        SpecError: If an option cannot have its value.
    """
    return session.current().load_data(source, target, **options)


def preprocess_data(dataset: Dataset | None = None, **options: Any) -> Dataset:
    """The dataset prepared with other options (those of `load_data`); by default the one loaded last."""
    return session.current().preprocess_data(dataset, **options)


def select_model(network: Any = None, dataset: Dataset | None = None, **options: Any) -> Model:
    """Selects a network: "cnn", "rnn", "mlp" or a class made from `torch.nn.Module`.

    Args:
        network: By default the one that suits the dataset.
        dataset: By default the one loaded last.
        **options: The network's own options; for a class of your own its keyword arguments.

    Raises:
        UnknownName: If there is no such network or option.
        ModelError: If it does not suit the dataset, or its source cannot be had.
    """
    return session.current().select_model(network, dataset, **options)


def train(wait: bool | None = None, **options: Any) -> Run:
    """Trains the model selected last: epochs, batch_size, learning_rate, ... (the fields of `TrainSpec`)."""
    return session.current().current_model().train(wait, **options)


def tune(search: str | Mapping[str, Any] = "auto", wait: bool | None = None, **options: Any) -> Study:
    """Searches for good options of the model selected last; trials are ordinary runs. See `Session.tune`.

    Args:
        search: `{"learning_rate": (1e-4, 1e-1), "optimizer": ["adamw", "sgd"], "model_channels": (8, 64)}`, or the line
            "learning_rate=1e-4..1e-1 optimizer=adamw,sgd model_channels=8..64".
        wait: Whether to wait for the end; by default a notebook goes on and a script waits.
        **options: trials, prune, parallel, study, ...; and fields of `TrainSpec` that are the same for all trials.
    """
    return session.current().tune(search=search, wait=wait, **options)


def study(name: str | None = None) -> Study:
    """The study of this name; by default the newest."""
    return session.current().study(name)


def studies() -> StudyList:
    """The studies of the store, the newest first."""
    return session.current().studies()


def evaluate(run_id: str | None = None) -> Report:
    """The report of a run on its test rows (default: the last run); waits for the run to end."""
    return session.current().run(run_id).evaluate()


def compress(run_id: str | None = None, wait: bool | None = None, **options: Any) -> Compression:
    """Small variants of a run's network, by default of the last run; the options are those of `CompressSpec`."""
    return session.current().run(run_id).compress(wait, **options)


def deploy(run_id: str | None = None, **options: Any) -> Endpoint:
    """Puts a run's network online (default: the last run); the options are those of `DeploySpec`."""
    return session.current().run(run_id).deploy(**options)


def predict(endpoint: str | None = None, **options: Any) -> Prediction | Predictions:
    """Asks an endpoint (default: the last one) over HTTP: items, row, file or input."""
    return session.current().endpoint(endpoint).predict(**options)


def list_runs(limit: int | None = None, **options: Any) -> RunList:
    """The runs of the store, the newest first; `search`, `state`, `tag`, `sort`, `reverse`, `sizes` as in a session."""
    return session.current().runs(limit, **options)


def run(run_id: str | None = None) -> Run:
    """The run of this id; by default the last one."""
    return session.current().run(run_id)


def compare(run_ids: Sequence[str], **options: Any) -> ComparisonView:
    """Runs side by side: the options in which they differ, and their results; see `Session.compare`."""
    return session.current().compare(run_ids, **options)


def queue() -> QueueView:
    """What is at work and what waits, in order."""
    return session.current().queue()


def free_space(**options: Any) -> GcView:
    """Says what could be freed on disk; with `apply=True` frees it. See `Session.gc`."""
    return session.current().gc(**options)


def export_runs(run_ids: Sequence[str], *, format: str = "csv", to: str | None = None) -> Said:
    """Writes runs as CSV, for TensorBoard or for MLflow."""
    return session.current().export(run_ids, format=format, to=to)


def import_run(folder: str, *, name: str | None = None) -> Run:
    """Copies a run's folder from elsewhere into the store."""
    return session.current().import_run(folder, name=name)


def list_endpoints() -> EndpointList:
    """The endpoints of the store."""
    return session.current().endpoints()


def endpoint(name: str | None = None) -> Endpoint:
    """The endpoint of this name; by default the last one."""
    return session.current().endpoint(name)


def status() -> Status:
    """What is loaded, what is running and what is online."""
    return session.current().status()


def studio(*, public: bool = False) -> StudioView:
    """The form for all five steps, as a widget; `public` for dashboards that other people use."""
    return session.current().studio(public=public)
