"""Datasets that come inside scikit-learn, so that they need no download."""

from __future__ import annotations

import numpy as np

from lepton_lab.data.material import ImageMaterial, Material, Progress
from lepton_lab.data.registry import DatasetInfo
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot
from lepton_lab.specs import DataSpec


class Digits(Source):
    """scikit-learn's handwritten digits: 1,797 pictures of 8x8, values 0 to 16."""

    def identity(self, store: HasRoot) -> str:
        return "digits/1"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from sklearn.datasets import load_digits

        progress("Reading digits from scikit-learn", None)
        bunch = load_digits()
        images = np.asarray(bunch.images).astype(np.uint8)[:, None]
        labels = np.asarray(bunch.target).astype(np.int64)
        classes = [str(digit) for digit in range(10)]
        return ImageMaterial(classes, labels, np.arange(len(labels)), images=images, white=16.0)


_TARGETS = {"iris": "species", "wine": "grower", "breast-cancer": "diagnosis", "diabetes": "progression"}
"""What each table's label is called."""


class EmbeddedTable(Source):
    """iris, wine, breast-cancer and diabetes: measures in their own units, labels by name."""

    uses = frozenset({"target", "roles"})

    def __init__(self, spec: DataSpec, info: DatasetInfo) -> None:
        super().__init__(spec, info.title)
        self._info = info

    def identity(self, store: HasRoot) -> str:
        return f"{self._info.name}/1"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        import polars as pl
        from sklearn import datasets

        from lepton_lab.data.tabular import material_from_table

        progress(f"Reading {self._info.name} from scikit-learn", None)
        name = self._info.name
        if name == "diabetes":
            bunch = datasets.load_diabetes(scaled=False)
            labels = bunch.target.tolist()
        else:
            bunch = getattr(datasets, f"load_{name.replace('-', '_')}")()
            labels = [str(bunch.target_names[number]) for number in bunch.target]
        measures = pl.from_numpy(np.asarray(bunch.data), schema=[str(column) for column in bunch.feature_names])
        table = measures.with_columns(pl.Series(_TARGETS[name], labels))
        return material_from_table(table, self.spec, self.title)
