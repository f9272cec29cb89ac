"""A CSV file, or a text table with another separator."""

from __future__ import annotations

from pathlib import Path

from lepton_lab.data import fingerprint
from lepton_lab.data.material import Material, Progress
from lepton_lab.data.sources.base import Source, path_name
from lepton_lab.data.storage import HasRoot
from lepton_lab.specs import DataSpec


class TableFile(Source):
    """Rows of a text table, one column of which is to be predicted."""

    uses = frozenset({"target", "time_split"})

    def __init__(self, spec: DataSpec, path: Path) -> None:
        super().__init__(spec, path.name)
        self._path = path

    @property
    def name(self) -> str:
        return path_name(self._path)

    def identity(self, store: HasRoot) -> str:
        return "table/" + fingerprint.of_files(store, self._path.parent, [self._path])

    def read(self, store: HasRoot, progress: Progress) -> Material:
        from lepton_lab.data.series_material import looks_like_series, series_from_frame
        from lepton_lab.data.table_material import table_from_frame
        from lepton_lab.data.table_text import read_text_table

        progress(f"Reading {self.title}", None)
        frame = read_text_table(self._path)
        if self.spec.task == "forecasting" or (self.spec.task == "auto" and looks_like_series(frame, self.spec)):
            return series_from_frame(frame, self.spec, self._path.name)
        return table_from_frame(frame, target=self.spec.target, missing=self.spec.missing, title=repr(self._path.name))
