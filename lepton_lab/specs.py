"""What a person can ask for: the one source of validation, JSON, form fields, magic options and TypeScript types.

Every option of every face is a field here, with its type, bounds, default, one-line help and group ("simple"
options are in sight, "advanced" ones a click away). This module needs pydantic and nothing else.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lepton_lab.errors import SpecError, UnknownName

SCHEMA_VERSION = 1
NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


def option(default: Any, help: str, *, advanced: bool = False, unit: str | None = None, **bounds: Any) -> Any:
    """A spec field: its default, one line of help, the group of the form that it stands in, and its unit."""
    extra: dict[str, Any] = {"group": "advanced" if advanced else "simple"}
    if unit:
        extra["unit"] = unit
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Spec(BaseModel):
    """Base of the specs: immutable, unknown fields refused, errors as one plain sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Builds the spec from plain values.

        Raises:
            SpecError: With one sentence that names the option, what was given and what is allowed.
        """
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise UnknownName(f"option of {cls.title()}", unknown[0], cls.model_fields)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SpecError(_sentence(cls, error)) from None

    def changed(self, **values: Any) -> Self:
        """A copy with some options set anew, validated like the first time."""
        return self.parse({**self.model_dump(exclude_unset=True), **values})

    def given(self) -> dict[str, Any]:
        """The options that differ from their default, ready for JSON."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def title(cls) -> str:
        """The spec's name as a person says it: `TrainSpec` is "train", `CnnOptions` is "cnn"."""
        return re.sub(r"(Spec|Options)$", "", cls.__name__).lower()


def _sentence(spec: type[Spec], error: ValidationError) -> str:
    """The first problem of a validation error, said as a person would."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or spec.title()
    given = first.get("input")
    expected = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":
        allowed = str(first.get("ctx", {}).get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        near = difflib.get_close_matches(str(given), allowed, n=1)
        expected = "one of " + ", ".join(allowed) + (f" (did you mean {near[0]}?)" if near else "")
        return f"{spec.title()}: {where} is {given!r}; expected {expected}."
    if first["type"] == "value_error":
        return f"{spec.title()}: {expected}"
    expected = expected[:1].lower() + expected[1:]
    return f"{spec.title()}: {where} is {given!r}; {expected.replace('input should be', 'expected')}."


class DataSpec(Spec):
    """Which dataset, and how it is split and prepared."""

    name: str = option("digits", "A dataset's name, or the path of a CSV file or of a folder with a folder per class")
    target: str | None = option(None, "CSV: the column to predict (default: the last one, or one called label/target)")
    mirror: str | None = option(None, "A folder or URL to take a public dataset from, for sites without internet")
    validation_fraction: Fraction = option(0.1, "Share of the training rows kept to watch progress", advanced=True)
    test_fraction: Fraction = option(
        0.2, "Share of all rows kept for the final test, where the source has no test part of its own", advanced=True
    )
    split_seed: int = option(0, "Seed of the random split", advanced=True, ge=0, le=2**31 - 1)
    normalize: Literal["auto", "standard", "minmax", "none"] = option(
        "auto", "Scaling of the inputs; statistics come from the training part alone"
    )
    missing: Literal["auto", "drop", "fill"] = option(
        "auto", "Rows with missing values: drop them, or fill with the training part's median or most frequent value"
    )
    image_size: int | None = option(
        None, "Side that pictures of a folder are resized to (default: chosen from the files)", unit="px", ge=8, le=1024
    )
    fingerprint: str | None = option(
        None, "Set for arrays and frames from a notebook: the content's fingerprint in the cache", advanced=True
    )

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> Self:
        if self.validation_fraction + self.test_fraction >= 0.95:
            total = self.validation_fraction + self.test_fraction
            raise ValueError(
                f"validation_fraction and test_fraction add up to {total:g}; leave at least 0.05 for training."
            )
        return self


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


class TrainSpec(Spec):
    """How a network is trained. `auto` and unset values are chosen for the dataset, and the run's record says how."""

    epochs: int = option(20, "Passes over the training rows", ge=1, le=100_000)
    batch_size: int | None = option(None, "Rows per step (default: chosen from the number of rows)", ge=1, le=65_536)
    learning_rate: float | None = option(
        None, "Step length at its highest (default: chosen for the optimizer)", gt=0, le=100
    )
    optimizer: Literal["adamw", "adam", "sgd"] = option("adamw", "Update rule")
    schedule: Literal["one_cycle", "cosine", "constant"] = option(
        "one_cycle", "How the learning rate moves during the run"
    )
    weight_decay: float | None = option(
        None, "Pull of the weights towards zero (default: chosen for the optimizer)", advanced=True, ge=0, le=10
    )
    label_smoothing: Fraction = option(0.0, "Share of each label spread over the other classes", advanced=True)
    clip_norm: float | None = option(None, "Largest length of the gradient", advanced=True, gt=0)
    stop_early_epochs: int | None = option(
        None, "Stop when validation has not improved for so many epochs", advanced=True, ge=1
    )
    seed: int = option(0, "Seed of weights, order and dropout", advanced=True, ge=0, le=2**31 - 1)
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Where to train", advanced=True)
    precision: Literal["auto", "float32", "bfloat16"] = option("auto", "Number format of the step", advanced=True)
    threads: int | None = option(
        None, "CPU threads (default: the cores that are free, one for small networks)", advanced=True, ge=1, le=512
    )
    checkpoint_every_seconds: float = option(
        5.0, "Longest stretch of work that a crash can cost", advanced=True, unit="s", ge=0.05, le=86_400
    )
    max_restarts: int = option(2, "Restarts after a crash before the run fails", advanced=True, ge=0, le=100)
    name: Name | None = option(None, "A name for the run (default: dataset, network and a number)", advanced=True)


class DeploySpec(Spec):
    """Where and how an endpoint answers."""

    name: Name = option("default", "The endpoint's name; deploying again under it replaces the version")
    host: str = option("127.0.0.1", "Address to listen on; anything but loopback needs allow_remote", advanced=True)
    port: int = option(0, "Port (0: a free one, kept for this name)", advanced=True, ge=0, le=65_535)
    allow_remote: bool = option(False, "Accept connections from other machines (unencrypted)", advanced=True)
    max_batch: int = option(32, "Largest number of requests answered together", advanced=True, ge=1, le=1024)
    max_queue: int = option(
        256, "Requests that may wait before new ones are told to come back", advanced=True, ge=1, le=65_536
    )
    threads: int | None = option(None, "CPU threads of the inference engine", advanced=True, ge=1, le=512)

    @field_validator("host")
    @classmethod
    def _is_plain(cls, host: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host):
            raise ValueError(f"host is {host!r}; expected an IP address or host name.")
        return host

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        if self.host not in ("127.0.0.1", "::1", "localhost") and not self.allow_remote:
            raise ValueError(
                f"host {self.host} is reachable from other machines; keep 127.0.0.1, or add allow_remote=True "
                "(--allow-remote) if that is what you want."
            )
        return self


class RunSpec(Spec):
    """All that a worker needs to start: written once as a run's `spec.json`."""

    schema_version: int = SCHEMA_VERSION
    data: DataSpec
    model: ModelSpec
    train: TrainSpec


SPECS: dict[str, type[Spec]] = {"data": DataSpec, "model": ModelSpec, "train": TrainSpec, "deploy": DeploySpec}
"""The specs that have a form and a verb."""
