"""What is searched: ranges and lists of values for options of any spec, read from a line or from Python.

`learning_rate=1e-4..1e-1 optimizer=adamw,sgd model_channels=8..64 data_normalize=none,standardize`: options of training
under their own names, the network's with `model_` before them, the dataset's with `data_`; `model=cnn,resnet` chooses
the network itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from lepton_lab.errors import LeptonError, SpecError, UnknownName
from lepton_lab.specs.base import Spec
from lepton_lab.specs.data import DataSpec
from lepton_lab.specs.models import MODEL_OPTIONS, ModelSpec
from lepton_lab.specs.run import RunSpec
from lepton_lab.specs.train import TrainSpec

Value = float | int | str | bool | None
AUTO = "learning_rate=3e-4..3e-2 weight_decay=1e-4..0.3"
AUTO_SGD = "learning_rate=1e-2..1 weight_decay=1e-5..1e-2"
LOG_FROM = 100
"""A range whose ends are so many times apart is searched by orders of magnitude."""
MAX_CHOICES = 100
NOT_SEARCHED = (
    "name",
    "threads",
    "priority",
    "gpu_fraction",
    "max_restarts",
    "tensorboard",
    "device",
    "devices",
    "shard",
    "cluster",
    "workers",
    "min_workers",
    "cpus_per_worker",
    "gpus_per_worker",
)
"""Options of training that say where a run works, not how well; they are not searched."""


@dataclass(frozen=True)
class Dimension:
    """One option that is searched.

    Attributes:
        name: "learning_rate", "model_channels", "data_normalize" or "model".
        low: Lower end of a range; None for a list.
        high: Upper end of a range, itself included.
        choices: The values of a list; empty for a range.
        is_whole: Whether only whole numbers are tried.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Value, ...] = ()
    is_whole: bool = False

    @property
    def is_log(self) -> bool:
        """Whether orders of magnitude are searched evenly."""
        return not self.choices and self.low > 0 and self.high / self.low >= LOG_FROM

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}={','.join(_text(each) for each in self.choices)}"
        return f"{self.name}={_text(self.low)}..{_text(self.high)}"


def is_auto(search: str) -> bool:
    """Whether a line leaves open what is searched."""
    return search.strip() in ("", "auto")


def dimensions(search: str, optimizer: str = "adamw") -> tuple[Dimension, ...]:
    """Reads what is searched from a line; "auto" stands for learning rate and weight decay.

    Args:
        search: The line.
        optimizer: Whose rates "auto" stands for.

    Raises:
        SpecError: If a part is no range and no list.
        UnknownName: If there is no such option.
    """
    text = search
    if is_auto(search):
        text = AUTO_SGD if optimizer == "sgd" else AUTO
    found: dict[str, Dimension] = {}
    for part in text.replace(";", " ").split():
        name, equals, values = part.partition("=")
        name = name.lstrip("-").replace("-", "_")
        if not equals or not values:
            raise SpecError(f"tune: {part!r} is no search; expected NAME=LOW..HIGH or NAME=A,B,C.")
        if name in found:
            raise SpecError(f"tune: {name} is searched twice; name it once.")
        found[name] = _dimension(name, values)
    return tuple(found.values())


def search_text(search: str | Mapping[str, Any]) -> str:
    """The line that stands for a search given in Python.

    Args:
        search: The line itself, or for each option a range `(low, high)`, a list of values, or its text.

    Raises:
        SpecError: If a value is none of these.
    """
    if isinstance(search, str):
        return search
    parts = []
    for name, values in search.items():
        if isinstance(values, str):
            parts.append(f"{name}={values}")
        elif isinstance(values, tuple) and len(values) == 2 and all(_is_number(each) for each in values):
            parts.append(f"{name}={_text(values[0])}..{_text(values[1])}")
        elif isinstance(values, list | tuple) and values:
            parts.append(f"{name}={','.join(_text(each) for each in values)}")
        else:
            raise SpecError(f"tune: {name} is {values!r}; expected a range (low, high) or a list of values.")
    return " ".join(parts)


def require_known(space: tuple[Dimension, ...], base: RunSpec) -> None:
    """Refuses options of the network that no network of the search has.

    Raises:
        UnknownName: With the nearest options.
    """
    networks = next((each.choices for each in space if each.name == "model"), (base.model.name,))
    if base.model.source is not None:
        return
    known = [f"model_{option}" for name in networks for option in MODEL_OPTIONS[str(name)].model_fields]
    for each in space:
        if each.name.startswith("model_") and each.name not in known:
            raise UnknownName("option of tune", each.name, known)


def apply(base: RunSpec, values: Mapping[str, Value]) -> RunSpec:
    """The run that a trial stands for: the base with the trial's values in place.

    Options of a network that the trial's network does not have are left out.

    Raises:
        SpecError: If the values do not go together.
    """
    model = base.model
    if "model" in values and values["model"] != model.name:
        model = ModelSpec(name=str(values["model"]))
    options = dict(model.options)
    for name, value in values.items():
        option = name.removeprefix("model_")
        if name.startswith("model_") and (model.source is not None or option in MODEL_OPTIONS[model.name].model_fields):
            options[option] = value
    data = {name.removeprefix("data_"): value for name, value in values.items() if name.startswith("data_")}
    train = {name: value for name, value in values.items() if name in TrainSpec.model_fields}
    return RunSpec(
        data=base.data.changed(**data) if data else base.data,
        model=model.changed(options=options),
        train=base.train.changed(**train),
    )


def _dimension(name: str, values: str) -> Dimension:
    field = _field(name)
    if ".." in values:
        return _range(name, values, field)
    choices = tuple(_value(each) for each in values.split(","))
    if len(choices) > MAX_CHOICES:
        raise SpecError(f"tune: {name} has {len(choices)} values; expected at most {MAX_CHOICES}.")
    for choice in choices:
        _check(name, choice)
    return Dimension(name, choices=tuple(dict.fromkeys(choices)))


def _range(name: str, values: str, annotation: Any) -> Dimension:
    low, _, high = values.partition("..")
    ends = [_value(low), _value(high)]
    numbers = [float(each) for each in ends if _is_number(each) and isinstance(each, int | float)]
    if len(numbers) != 2 or not all(math.isfinite(each) for each in numbers) or numbers[0] >= numbers[1]:
        raise SpecError(f"tune: {name} is {values!r}; expected LOW..HIGH, two numbers, the smaller one first.")
    is_whole = all(isinstance(each, int) for each in ends) and not _takes_float(annotation)
    for end in ends:
        _check(name, end if is_whole or not isinstance(end, int) else float(end))
    return Dimension(name, numbers[0], numbers[1], is_whole=is_whole)


def _field(name: str) -> Any:
    """The annotation of an option; `Any` for one of a network of one's own."""
    if name == "model":
        return str
    if name.startswith("model_"):
        option = name.removeprefix("model_")
        found = [spec.model_fields[option] for spec in MODEL_OPTIONS.values() if option in spec.model_fields]
        return found[0].annotation if found else Any
    if name.startswith("data_") and name.removeprefix("data_") in DataSpec.model_fields:
        return DataSpec.model_fields[name.removeprefix("data_")].annotation
    if name in TrainSpec.model_fields and name not in NOT_SEARCHED:
        return TrainSpec.model_fields[name].annotation
    known = [each for each in TrainSpec.model_fields if each not in NOT_SEARCHED]
    known += [f"model_{each}" for spec in MODEL_OPTIONS.values() for each in spec.model_fields]
    raise UnknownName("option of tune", name, ["model", *known, *(f"data_{each}" for each in DataSpec.model_fields)])


def _check(name: str, value: Value) -> None:
    """Tries a value on every spec that has the option; one that takes it is enough."""
    if name == "model":
        specs: list[tuple[type[Spec], str]] = [(ModelSpec, "name")]
    elif name.startswith("model_"):
        option = name.removeprefix("model_")
        specs = [(spec, option) for spec in MODEL_OPTIONS.values() if option in spec.model_fields]
    elif name.startswith("data_"):
        return  # the dataset's own options go together in ways that its source knows; `apply` asks them all at once
    else:
        specs = [(TrainSpec, name)]
    problem: LeptonError | None = None
    for spec, option in specs:
        try:
            spec.parse({option: value})
            return
        except LeptonError as error:
            problem = error
    if problem is not None:
        raise SpecError(f"tune: {problem}")


def _takes_float(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _takes_float(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(_takes_float(each) for each in get_args(annotation))
    return annotation is float


def _value(text: str) -> Value:
    """A number, yes or no, none, or a word."""
    words: dict[str, Value] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
