"""The datasets that have a name: what each is, who may use it, and which files its official source serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lepton_lab.errors import DataError

PLUGINS = "lepton_lab.datasets"
"""Entry points of this group name further datasets; each leads to a `DatasetInfo`."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a public dataset.

    Attributes:
        name: The file's name, in a mirror too.
        num_bytes: Its exact size; None where nobody states it.
        sha256: Its content; a file with another hash is never used. None where the makers state none and the file was
            not at hand: then the first content that comes is recorded, told and required from then on.
        path: Where it lies below the official address, when that differs from its name.
        md5: What the makers state where they state no SHA-256.
    """

    name: str
    num_bytes: int | None = None
    sha256: str | None = None
    path: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class DatasetInfo:
    """What a form or a list shows of a named dataset.

    Attributes:
        name: The name that it is loaded by.
        title: The name that a person reads.
        task: What is learnt from it, a name of `specs.TASKS`.
        num_rows: Rows of all parts together.
        licence: Under which terms it may be used.
        source: The page of its makers.
        description: One sentence.
        offline: True when it needs no download.
        urls: Official folders of the files, tried in this order.
        files: The files; empty when the set is embedded in a library or made by a plugin.
        citation: How to cite it.
        form: How its files are laid out, a name of `sources.named.FORMS`.
        options: Options of `DataSpec` that fit it, where a person sets no others.
        inside: The folder inside of its archive that holds the data; "" for everything.
        leave_out: Folders of its archive that are no part of it.
        classes: Names of its classes, where the files have numbers.
        make: Plugins: gives what `from_arrays` takes: a frame, or (inputs, labels).
    """

    name: str
    title: str
    task: str
    num_rows: int
    licence: str
    source: str
    description: str
    offline: bool
    urls: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    citation: str | None = None
    form: str = "tree"
    options: dict[str, Any] = field(default_factory=dict)
    inside: str = ""
    leave_out: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    make: Callable[[], Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The part that forms show, ready for JSON."""
        shown = ("name", "title", "task", "num_rows", "licence", "source", "description", "offline", "citation")
        return {key: getattr(self, key) for key in shown}


def _built_in() -> dict[str, DatasetInfo]:
    from lepton_lab.data.registry_embedded import EMBEDDED
    from lepton_lab.data.registry_entries import PUBLIC

    return {info.name: info for info in (*EMBEDDED, *PUBLIC)}


def known_names() -> list[str]:
    """The names of the datasets, in the order in which forms offer them; those of plugins last."""
    return [*DATASETS, *(name for name in _plugins() if name not in DATASETS)]


def find_info(name: str) -> DatasetInfo | None:
    """The dataset of this name, or None where there is none.

    Raises:
        DataError: A plugin names it and cannot be loaded, or leads to something else than a `DatasetInfo`.
    """
    if name in DATASETS:
        return DATASETS[name]
    if name not in _plugins():
        return None
    try:
        info = _plugins()[name].load()
    except Exception as error:  # a plugin's import may fail in any way
        raise DataError(f"The plugin that brings the dataset {name!r} cannot be loaded ({error}).") from error
    if not isinstance(info, DatasetInfo) or info.name != name:
        raise DataError(
            f"The plugin of the dataset {name!r} leads to {info!r:.80}; expected a DatasetInfo of this name."
        )
    return info


@cache
def _plugins() -> dict[str, EntryPoint]:
    """The plugins' entry points by name; none is loaded."""
    return {found.name: found for found in entry_points(group=PLUGINS)}


DATASETS: dict[str, DatasetInfo] = _built_in()
"""The datasets that come with lepton_lab, in the order in which forms offer them."""
