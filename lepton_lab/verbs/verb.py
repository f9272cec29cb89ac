"""What a verb is: its words, its options, the session call that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lepton_lab.verbs.options import Option

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
    many: bool = False
    """Whether it takes all words that are left; its value is then a list. Only the last one may."""

    @property
    def usage(self) -> str:
        """As in a verb's help ("[RUN]", "RUN ...")."""
        word = self.name.upper() + (" ..." if self.many else "")
        return word if self.required else f"[{word}]"


@dataclass(frozen=True)
class Verb:
    """One verb of lepton_lab.

    Attributes:
        name: The word, or two ("runs rename").
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
