"""The datasets that have a name: what each is, who may use it, and which files its official source serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RemoteFile:
    """One file of a public dataset.

    Attributes:
        name: The file's name, the same at the official source and in a mirror.
        num_bytes: Its exact size.
        sha256: Its content; a file with another hash is never used.
    """

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True)
class DatasetInfo:
    """What a form or a list shows of a named dataset.

    Attributes:
        name: The name that it is loaded by.
        title: The name that a person reads.
        task: What is learnt from it ("classification").
        num_rows: Rows of all parts together.
        licence: Under which terms it may be used.
        source: The page of its makers.
        description: One sentence.
        offline: True when it needs no download.
        urls: Official folders of the files, tried in this order.
        files: The files; empty when the set is embedded in a library.
        citation: How to cite it.
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

    def to_dict(self) -> dict[str, Any]:
        """The part that forms show, ready for JSON."""
        shown = ("name", "title", "task", "num_rows", "licence", "source", "description", "offline", "citation")
        return {key: getattr(self, key) for key in shown}


_DIGITS = DatasetInfo(
    name="digits",
    title="Handwritten digits, 8x8",
    task="classification",
    num_rows=1797,
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    description="1,797 grey pictures of handwritten digits, 8x8 pixels with 17 levels, 10 classes.",
    offline=True,
)

_FASHION_MNIST = DatasetInfo(
    name="fashion-mnist",
    title="Fashion-MNIST",
    task="classification",
    num_rows=70_000,
    licence="MIT",
    source="https://github.com/zalandoresearch/fashion-mnist",
    description="70,000 grey pictures of clothing, 28x28 pixels, 10 classes, with an official test part of 10,000.",
    offline=False,
    urls=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    ),
)

DATASETS: dict[str, DatasetInfo] = {info.name: info for info in (_DIGITS, _FASHION_MNIST)}
"""The named datasets, in the order in which forms offer them."""


def known_names() -> list[str]:
    """The names of the public datasets, in the order in which forms offer them."""
    return list(DATASETS)
