"""Datasets that a plugin makes: frames or arrays, kept in the cache like those of a notebook."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from lepton_lab.data.material import Material, Progress
from lepton_lab.data.registry import DatasetInfo
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec


class PluginData(Source):
    """What a plugin's `make` gives; its content is its identity."""

    uses = frozenset({"target", "roles"})

    def __init__(self, spec: DataSpec, info: DatasetInfo) -> None:
        super().__init__(spec, info.title)
        self._info = info

    @cached_property
    def _made(self) -> Any:
        make = self._info.make
        try:
            return make() if make is not None else None
        except Exception as error:  # a plugin's code may fail in any way
            raise DataError(f"The plugin of the dataset {self._info.name!r} failed ({error}).") from error

    def _kept(self, store: HasRoot) -> DataSpec:
        from lepton_lab.data.arrays import from_arrays

        made = self._made
        inputs, labels = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
        fitting = {key: value for key, value in self._info.options.items() if key not in self.spec.given()}
        options = {**self.spec.given(), **fitting, "name": self._info.name}
        return from_arrays(inputs, labels, classes=self._info.classes or None, store=store, **options)

    def identity(self, store: HasRoot) -> str:
        return f"plugin/{self._info.name}/{self._kept(store).fingerprint}"

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.sources.notebook import NotebookSource

        return NotebookSource(self._kept(store), store).read(store, progress)
