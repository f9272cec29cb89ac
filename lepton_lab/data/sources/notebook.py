"""Arrays and frames that `from_arrays` has put into the cache, read back by any process."""

from __future__ import annotations

from typing import Any

import numpy as np

from lepton_lab.data import storage
from lepton_lab.data.material import ImageMaterial, Material, Progress, SequenceMaterial
from lepton_lab.data.sources.base import Source
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


class NotebookSource(Source):
    """Content that is named by its fingerprint."""

    def __init__(self, spec: DataSpec, store: storage.HasRoot) -> None:
        super().__init__(spec, spec.name)
        fingerprint = spec.fingerprint or ""
        self._path = storage.folder(store, fingerprint)
        meta = storage.read_meta(self._path)
        if meta is None or meta.get("kind") != "source":
            raise DataError(
                f"The data of {spec.name!r} is no longer in the cache (fingerprint {fingerprint}); "
                "run the cell that loaded it again."
            )
        self._meta = meta
        self.uses = frozenset({"target", "roles", "time_split"}) if meta["modality"] == "table" else frozenset()

    def identity(self, store: storage.HasRoot) -> str:
        return f"notebook/{self.spec.fingerprint}"

    def read(self, store: storage.HasRoot, progress: Progress) -> Material:
        progress(f"Reading {self.title}", None)
        if self._meta["modality"] == "table":
            return self._table()
        inputs = storage.open_array(self._path / "inputs.npy")
        labels = np.array(storage.open_array(self._path / "labels.npy"))
        classes, rows = list(self._meta["classes"]), np.arange(len(labels))
        task = str(self._meta.get("task", "classification"))
        if self._meta["modality"] == "sequence":
            return SequenceMaterial(classes, labels, rows, sequences=inputs, task=task)
        return ImageMaterial(classes, labels, rows, images=inputs, task=task, **self._pixels())

    def _pixels(self) -> dict[str, Any]:
        pixels = self._meta["pixels"]
        return {"black": pixels["low"], "white": pixels["high"], "bounded": pixels["bounded"]}

    def _table(self) -> Material:
        import polars as pl

        from lepton_lab.data.readers import LazyTable
        from lepton_lab.data.sources.table_file import as_series
        from lepton_lab.data.tabular import material_from_table

        table = LazyTable(pl.scan_ipc(self._path / "frame.arrow"), self.title)
        if self.spec.task in ("auto", "forecasting") and (series := as_series(table, self.spec, self.title)):
            return series
        return material_from_table(table, self.spec, self.title, classes=self._meta["classes"])
