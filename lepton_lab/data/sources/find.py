"""Which source a `DataSpec` means: a notebook's data, a named dataset, a file or a folder."""

from __future__ import annotations

import os
from pathlib import Path

from lepton_lab.data.registry import DATASETS, known_names
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError, UnknownName
from lepton_lab.specs import DataSpec

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".data")


def find_source(spec: DataSpec, store: HasRoot) -> Source:
    """The source that a spec means.

    Raises:
        UnknownName: When no dataset has that name and it does not look like a path.
        DataError: When a path does not exist or is of a kind that cannot be read.
    """
    if spec.fingerprint is not None:
        from lepton_lab.data.sources.notebook import NotebookSource

        return NotebookSource(spec, store)
    if spec.name in DATASETS:
        return _named(spec)
    path = Path(spec.name).expanduser()
    if path.exists():
        return _from_path(spec, path.resolve())
    if os.sep in spec.name or "/" in spec.name or path.suffix.lower() in (*TABLE_SUFFIXES, ".ts"):
        raise DataError(
            f"There is no file or folder {str(path)!r} (looked in {str(Path.cwd())!r}); check the path, "
            f"or name a dataset: {', '.join(known_names())}."
        )
    raise UnknownName("dataset", spec.name, known_names())


def _named(spec: DataSpec) -> Source:
    info = DATASETS[spec.name]
    if spec.name == "digits":
        from lepton_lab.data.sources.embedded import Digits

        return Digits(spec, info.title)
    from lepton_lab.data.sources.idx import FashionMnist

    if spec.mirror and "://" not in spec.mirror:
        # The worker may start in another folder than the notebook.
        spec = spec.changed(mirror=str(Path(spec.mirror).expanduser().resolve()))
    return FashionMnist(spec, info.title)


def _from_path(spec: DataSpec, path: Path) -> Source:
    spec = spec.changed(name=str(path))
    if path.is_dir():
        from lepton_lab.data.sources.folder import PictureFolder
        from lepton_lab.data.sources.folders import source_of_folder

        return source_of_folder(spec, path) or PictureFolder(spec, path)
    if path.name.lower().endswith((".ts", ".ts.gz")):
        from lepton_lab.data.sources.ts_file import TsFile

        return TsFile(spec, path)
    if path.suffix.lower() in TABLE_SUFFIXES:
        from lepton_lab.data.sources.table_file import TableFile

        return TableFile(spec, path)
    raise DataError(
        f"{str(path)!r} is neither a table ({', '.join(TABLE_SUFFIXES)}) nor a folder with a folder per class; "
        "load it in the notebook and give its arrays or data frame instead."
    )
