"""A network selected for a dataset, not yet trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import ModelError, RunError, UnknownName
from lepton_lab.session import source as sources
from lepton_lab.session.shown import Shown
from lepton_lab.specs import MODEL_OPTIONS, ModelSpec, TrainSpec, default_network, require_suits
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.session.compression import Compression
    from lepton_lab.session.dataset import Dataset
    from lepton_lab.session.endpoint import Endpoint
    from lepton_lab.session.facade import Session
    from lepton_lab.session.report import Report
    from lepton_lab.session.run import Run
    from lepton_lab.session.sketch import Sketch
    from lepton_lab.session.study import Study


class Model(Shown):
    """A network with its options and the dataset it is for. Made by `select_model`."""

    def __init__(self, spec: ModelSpec, dataset: Dataset, session: Session) -> None:
        self.spec, self.dataset, self._session = spec, dataset, session
        self._run: Run | None = None

    @property
    def name(self) -> str:
        """The network's name."""
        return self.spec.name

    @property
    def options(self) -> dict[str, Any]:
        """All options with their values, defaults filled in."""
        if self.spec.source:
            return dict(self.spec.options)
        return self.spec.typed_options(self.dataset.prepared.problem).model_dump(mode="json")

    @property
    def run(self) -> Run:
        """The last run of this model.

        Raises:
            RunError: If it was not trained yet.
        """
        if self._run is None:
            raise RunError(f"The model {self.name} is not trained yet; call model.train() first.")
        return self._run

    def train(self, wait: bool | None = None, **options: Any) -> Run:
        """Starts a run in a process of its own.

        Args:
            wait: Whether to wait for the end; by default a notebook goes on and a script waits.
            **options: The fields of `TrainSpec`: epochs, batch_size, learning_rate, ...

        Raises:
            SpecError: If an option cannot have its value.
            RunFailed: If it was waited for and ended with an error.
        """
        self._run = self._session.start(self, TrainSpec.parse(options), wait)
        return self._run

    def summary(self, batch_size: int | None = None) -> Sketch:
        """Layers, shapes, parameters, work and memory, before training; built in a process of its own.

        Args:
            batch_size: Rows of a step, for the memory (default: 32).

        Raises:
            ModelError: If the network cannot be built, or does not suit the dataset.
        """
        return self._session.sketcher.draw(self.spec, self.dataset.prepared.problem, batch_size)

    def tune(self, search: str | Mapping[str, Any] = "auto", wait: bool | None = None, **options: Any) -> Study:
        """Searches for good options of this network, its training and its data; see `Session.tune`."""
        return self._session.tune(self, search=search, wait=wait, **options)

    def evaluate(self) -> Report:
        """The report of the last run on the test rows; waits for the run to end."""
        return self.run.evaluate()

    def compress(self, wait: bool | None = None, **options: Any) -> Compression:
        """Makes small variants of the last run's network; the options are those of `CompressSpec`."""
        return self.run.compress(wait, **options)

    def deploy(self, **options: Any) -> Endpoint:
        """Puts the last run's network online; the options are those of `DeploySpec`."""
        return self.run.deploy(**options)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "options": self.options,
            "dataset": self.dataset.name,
            "own": self.spec.source is not None,
        }

    def __str__(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.options.items())
        return _(f"{self.name} for {self.dataset.name}") + (f": {options}" if options else "")


def spec_for(network: Any, dataset: Dataset, namespace: dict[str, Any], options: dict[str, Any]) -> ModelSpec:
    """The spec of a network given as a name, a class, the name of a class of the notebook, or not at all.

    Raises:
        ModelError: If it cannot be had as source, or does not suit the dataset.
        UnknownName: If no network has that name.
        SpecError: If an option cannot have its value.
    """
    starting = _starting(network, options)
    options = {name: value for name, value in options.items() if name not in starting}
    if network is None:
        network = default_network(dataset.prepared.problem)
    if isinstance(network, str) and network.endswith(".py"):
        return _from_file(Path(network), options, starting)
    if isinstance(network, str) and network not in MODEL_OPTIONS:
        if not sources.is_network(namespace.get(network)):
            own = [name for name, value in namespace.items() if sources.is_network(value)]
            raise UnknownName("model", network, [*MODEL_OPTIONS, *own])
        network = namespace[network]
    if isinstance(network, str):
        MODEL_OPTIONS[network].parse(options)
        require_suits(network, dataset.prepared.problem)
        return ModelSpec.parse({"name": network, "options": options, **starting})
    return _own(network, options, starting)


def spec_from_cell(
    cell: str, name: str | None, class_name: str | None, namespace: dict[str, Any], options: dict[str, Any]
) -> ModelSpec:
    """The spec of a network whose code stands in a cell; `class_name` where the cell defines several.

    Raises:
        ModelError: If the cell is not Python, has no class, or uses what cannot travel.
    """
    starting = _starting(None, options)
    options = {key: value for key, value in options.items() if key not in starting}
    chosen = sources.class_in(cell, class_name)
    values = {"source": sources.complete(cell, namespace), "class_name": chosen, **starting}
    return ModelSpec.parse({"name": name or chosen, "options": options, **values})


def _from_file(path: Path, options: dict[str, Any], starting: dict[str, Any]) -> ModelSpec:
    try:
        cell = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The network's file {str(path)!r} cannot be read: {error}.") from None
    options = dict(options)
    return spec_from_cell(cell, None, options.pop("class_name", None), {}, {**options, **starting})


def _starting(network: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options that say what a network starts from, unless its own class has options of these names."""
    own = inspect.signature(network).parameters if isinstance(network, type) else {}
    found = {name: options[name] for name in ("weights", "freeze") if options.get(name) and name not in own}
    if isinstance(found.get("weights"), str | Path):  # a worker has another current folder
        found["weights"] = str(Path(found["weights"]).expanduser().resolve())
    return found


def _own(network: Any, options: dict[str, Any], starting: dict[str, Any]) -> ModelSpec:
    if not isinstance(network, type):
        hint = f" Give the class itself: select_model({type(network).__name__}, ...), with its arguments as options."
        raise ModelError(f"select_model takes a name or a class, and was given {type(network).__name__} object." + hint)
    if not sources.is_network(network):
        raise ModelError(f"{network.__name__} is not made from torch.nn.Module.")
    _accepts(network, options)
    values = {"name": network.__name__[:64], "options": options, "class_name": network.__name__}
    return ModelSpec.parse({**values, **starting, "source": sources.source_of(network)})


def _accepts(network: type, options: dict[str, Any]) -> None:
    parameters = list(inspect.signature(network).parameters.values())
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = [parameter.name for parameter in parameters]
    for name in options:
        if name not in names:
            raise UnknownName(f"option of {network.__name__}", name, names)
