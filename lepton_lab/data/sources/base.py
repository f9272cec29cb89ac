"""What every source can do: say who it is, name its content, and read it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path

from lepton_lab.data.material import Material, Progress
from lepton_lab.data.storage import HasRoot
from lepton_lab.specs import DataSpec


class Source(ABC):
    """A place that a dataset comes from.

    Attributes:
        spec: What was asked, with an absolute path where a path was given.
        title: The name that a person reads.
    """

    uses: frozenset[str] = frozenset()
    """Options of `DataSpec` that only some sources have a use for, and this one has."""

    def __init__(self, spec: DataSpec, title: str) -> None:
        self.spec, self.title = spec, title

    @property
    def name(self) -> str:
        """A short name that run and endpoint names can be made of."""
        return slug(self.spec.name)

    @abstractmethod
    def identity(self, store: HasRoot) -> str:
        """A text that changes exactly when the content does."""

    @abstractmethod
    def read(self, store: HasRoot, progress: Progress) -> Material:
        """Reads everything.

        Raises:
            DataError: Names the file, row or column that is wrong.
        """


_SAYS_NOTHING = frozenset(
    (
        "train",
        "training",
        "data",
        "dataset",
        "data_full",
        "images",
        "img",
        "pictures",
        "table",
        "ratings",
        "input",
        "recordings",
        "audio",
        "sounds",
        "clips",
        "wavs",
    )
)


def path_name(path: Path) -> str:
    """A short name for a file or folder; where its own says nothing ("train.csv", "images"), its folder's."""
    stem = path.stem if path.is_file() else path.name
    return slug(path.parent.name if stem.lower() in _SAYS_NOTHING and path.parent.name else stem)


def slug(text: str) -> str:
    """A text as a name of letters, digits, '-' and '_', at most 40 long."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:40] or "data"


def is_address(name: str) -> bool:
    """Whether a name is the address of something on another machine."""
    scheme, mark, rest = name.partition("://")
    return bool(mark and rest) and scheme.replace("+", "").replace("-", "").isalnum()


def is_idx(path: Path) -> bool:
    """Whether a file's name is one of an IDX file."""
    return bool(re.search(r"[-_.]idx[1-4]?(-ubyte)?(\.gz)?$", path.name.lower()))
