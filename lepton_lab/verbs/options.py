"""The options of a verb, derived from the fields of a spec: flag, type, choices, default, help.

`Option` owns what one option is and how its text and its value become each other; nothing here knows of lines.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from lepton_lab.errors import SpecError
from lepton_lab.specs import Spec

NOTHING = ("none", "auto")
"""What stands for "not set" on a line, where a number may be unset."""


@dataclass(frozen=True)
class Option:
    """One option of a verb.

    Attributes:
        name: The Python name ("batch_size").
        kind: int, float, str or bool.
        help: One line.
        default: The value when it is not given.
        choices: The values allowed, if they are few.
        optional: Whether it may be unset (`none` on a line).
        group: "simple" (in sight) or "advanced".
        unit: The unit, if it has one.
        values: What completion offers: "dataset", "model", "run", "endpoint", "path" or nothing.
    """

    name: str
    kind: type
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    group: str = "simple"
    unit: str | None = None
    values: str = ""

    @property
    def flag(self) -> str:
        """As written on a line ("--batch-size")."""
        return "--" + self.name.replace("_", "-")

    @property
    def off_flag(self) -> str:
        """The flag that turns a yes-or-no option off ("--no-bidirectional")."""
        return "--no-" + self.name.replace("_", "-")

    def read(self, text: str, verb: str) -> Any:
        """The typed value of a text.

        Raises:
            SpecError: If the text is not of the option's type or choices.
        """
        if self.optional and self.kind is not str and text.lower() in NOTHING:
            return None
        if self.choices and text not in self.choices:
            near = difflib.get_close_matches(text, self.choices, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise SpecError(f"{verb}: {self.flag} is {text!r}; expected one of {', '.join(self.choices)}{hint}.")
        try:
            return self.kind(text)
        except ValueError:
            expected = "a whole number" if self.kind is int else "a number"
            raise SpecError(f"{verb}: {self.flag} is {text!r}; expected {expected}.") from None

    def words(self, value: Any) -> list[str]:
        """The words that set this value on a line; none if there is nothing to say."""
        if value is None:
            return []
        if self.kind is bool:
            return [self.flag if value else self.off_flag]
        text = repr(value) if self.kind is float else str(value)
        return [f"{self.flag}={text}"] if text.startswith("-") or not text else [self.flag, text]


@cache
def options_of(spec: type[Spec], leave_out: tuple[str, ...] = ()) -> tuple[Option, ...]:
    """One option for each plain field of a spec, in the order of its fields."""
    options = []
    for name, field in spec.model_fields.items():
        shape = _shape(field.annotation)
        if name in leave_out or shape is None:
            continue
        kind, choices, optional = shape
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        unit = extra.get("unit")
        options.append(
            Option(
                name=name,
                kind=kind,
                help=field.description or "",
                default=field.default,
                choices=choices,
                optional=optional,
                group=str(extra.get("group", "simple")),
                unit=str(unit) if unit else None,
            )
        )
    return tuple(options)


def find(options: Iterable[Option], flag: str) -> tuple[Option, bool] | None:
    """The option that a flag sets, and whether the flag turns it off; None if no option has this flag."""
    for option in options:
        if flag == option.flag:
            return option, False
        if option.kind is bool and flag == option.off_flag:
            return option, True
    return None


def _shape(annotation: Any) -> tuple[type, tuple[str, ...], bool] | None:
    """(type, choices, may be unset) of a field's annotation; None for what cannot be one word of a line."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _shape(get_args(annotation)[0])
    if origin in (Union, UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        shape = _shape(inner[0]) if len(inner) == 1 else None
        return (shape[0], shape[1], True) if shape else None
    if origin is Literal:
        return str, tuple(str(value) for value in get_args(annotation)), False
    if annotation in (int, float, str, bool):
        return annotation, (), False
    return None
