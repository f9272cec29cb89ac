"""What all specs share: options with help and bounds, and errors as one plain sentence."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lepton_lab.errors import SpecError, UnknownName
from lepton_lab.words import N_

if TYPE_CHECKING:
    from lepton_lab.specs.tasks import Problem

SCHEMA_VERSION = 1
NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


def _is_an_address(cluster: str) -> str:
    if not re.fullmatch(r"auto|[A-Za-z0-9.-]{1,253}:\d{1,5}", cluster):
        raise ValueError(
            f"cluster is {cluster!r}; expected auto, or HOST:PORT of the cluster's head (6379 as it comes). An address "
            "with ray:// is for Ray's client, which the processes on the cluster cannot call back."
        )
    return cluster


ClusterAddress = Annotated[str, AfterValidator(_is_an_address)]
"""Where a Ray cluster is."""


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

    def filled_for(self, problem: Problem) -> Self:
        """The options with what depends on the rows filled in."""
        return self

    def given(self) -> dict[str, Any]:
        """The options that differ from their default, ready for JSON."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @classmethod
    def title(cls) -> str:
        """The spec's name as a person says it: `TrainSpec` is "train", `CnnOptions` is "cnn"."""
        return re.sub(r"(Spec|Options)$", "", cls.__name__).lower()


PHRASES = (
    N_("{spec}: {where} is {given}; expected greater than {limit}."),
    N_("{spec}: {where} is {given}; expected greater than or equal to {limit}."),
    N_("{spec}: {where} is {given}; expected less than {limit}."),
    N_("{spec}: {where} is {given}; expected less than or equal to {limit}."),
    N_("{spec}: {where} is {given}; expected a valid integer."),
    N_("{spec}: {where} is {given}; expected a valid integer, unable to parse string as an integer."),
    N_("{spec}: {where} is {given}; expected a valid integer, got a number with a fractional part."),
    N_("{spec}: {where} is {given}; expected a valid number."),
    N_("{spec}: {where} is {given}; expected a valid number, unable to parse string as a number."),
    N_("{spec}: {where} is {given}; expected a valid boolean."),
    N_("{spec}: {where} is {given}; expected a valid boolean, unable to interpret input."),
    N_("{spec}: {where} is {given}; expected a valid string."),
    N_("{spec}: {where} is {given}; expected a valid list."),
    N_("{spec}: {where} is {given}; expected a valid dictionary."),
    N_("{spec}: {where} is {given}; expected a finite number."),
    N_("{spec}: {where} is {given}; string should match pattern {pattern}."),
    N_("{spec}: {where} is {given}; string should have at least {number} characters."),
    N_("{spec}: {where} is {given}; string should have at most {number} characters."),
)
"""The sentences that the validation makes, for the catalogue."""


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
