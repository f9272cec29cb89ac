"""Datasets: where they come from, how they are prepared, and what is worth knowing before training.

`registry` names the public sets, `load` turns a `DataSpec` into a `PreparedDataset` through the cache,
`from_arrays` does the same for what lives in a notebook, and `Preparation` is the numpy-only code that the worker
and the inference server share. Names are handed on lazily: importing this package loads no numpy, polars, pandas,
scikit-learn or Pillow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lepton_lab.data.registry import DATASETS, DatasetInfo, known_names

if TYPE_CHECKING:
    from lepton_lab.data.arrays import from_arrays
    from lepton_lab.data.card import DataCard
    from lepton_lab.data.dataset import PreparedDataset, Split
    from lepton_lab.data.loading import load
    from lepton_lab.data.preparation import Preparation

_HOMES = {
    "DataCard": "card",
    "Preparation": "preparation",
    "PreparedDataset": "dataset",
    "Split": "dataset",
    "from_arrays": "arrays",
    "load": "loading",
}

__all__ = [
    "DATASETS",
    "DataCard",
    "DatasetInfo",
    "Preparation",
    "PreparedDataset",
    "Split",
    "from_arrays",
    "known_names",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
