"""From what was asked to what can be trained on, through the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.data import fingerprint, forms, storage
from lepton_lab.data.checks import examine
from lepton_lab.data.dataset import PreparedDataset, Split
from lepton_lab.data.material import Material, Progress
from lepton_lab.data.preparation import Preparation
from lepton_lab.data.sources.base import Source
from lepton_lab.data.sources.find import find_source
from lepton_lab.data.splits import SPLIT_NAMES
from lepton_lab.errors import DataError, SpecError
from lepton_lab.specs import DataSpec

VERSION = 7
"""Raised whenever the same source and options would give other arrays, or another description of them, than before: it
is part of a store's address, so that what an older version prepared is made anew and never misread."""

_SPECIAL = {
    "target": "names the column to predict of a table",
    "roles": "says what the columns of a table are",
    "image_size": "resizes the pictures of a folder",
    "pattern": "reads the names of the files of a folder",
    "label_table": "labels the files of a folder",
    "test_where": "chooses the test part among the files of a folder",
    "sample_rate": "converts sounds",
    "clip_seconds": "cuts sounds",
    "time_split": "cuts a series in time",
}


def load(spec: DataSpec, store: storage.HasRoot | None = None, progress: Progress | None = None) -> PreparedDataset:
    """Loads and prepares a dataset; the second time it comes from the cache without being read again.

    Args:
        spec: Which dataset, and how it is split and prepared.
        store: Where prepared data is kept; default: the user's store.
        progress: Told what is being done and which share is done.

    Returns:
        The dataset, its arrays mapped from the cache.

    Raises:
        UnknownName: When no dataset has that name and no such path exists.
        DataError: When the source cannot be read or learnt from; names the file, row or column.
        SpecError: When an option has no meaning for this source.
        StoreError: When the cache cannot be written.
    """
    store = store or storage.default_store()
    progress = progress or _silent
    if spec.connection is not None and spec.fingerprint is None:
        from lepton_lab.data.sql import snapshot

        spec = snapshot(spec, store, progress)
    source = find_source(spec, store)
    refuse_meaningless(source)
    name = fingerprint.of_prepared(source.identity(store), source.spec, VERSION)
    path = storage.folder(store, name)
    meta = storage.read_meta(path)
    if meta is not None:
        storage.touch(path)
        try:
            return _open(source, path, meta)
        except FileNotFoundError:
            pass  # another process has just made room in the cache
        except (DataError, LookupError, TypeError, ValueError):
            storage.set_aside(path)  # whole, and yet not to be understood: it is made anew
    return _open(source, path, _prepare(source, store, name, progress))


def open_prepared(
    path: Path, *, name: str, title: str, spec: DataSpec, splits: Sequence[str] = SPLIT_NAMES
) -> PreparedDataset:
    """A prepared dataset whose folder came from another host, without its source.

    Args:
        path: The folder in this host's own cache.
        name: As `PreparedDataset.name`; `title` and `spec` likewise.
        splits: Which parts; a folder may have been brought without the others.

    Raises:
        DataError: When the folder is not whole.
    """
    meta = storage.read_meta(path)
    if meta is None:
        raise DataError(f"The prepared data in {str(path)!r} is not whole; have it sent again.")
    return _opened(path, meta, name=name, title=title, spec=spec, splits=splits)


def _silent(what: str, fraction: float | None) -> None:
    return None


def refuse_meaningless(source: Source) -> None:
    """Refuses options that a source has no use for.

    Raises:
        SpecError: Names the first one.
    """
    for option, purpose in _SPECIAL.items():
        if getattr(source.spec, option) is not None and option not in source.uses:
            raise SpecError(f"data: {option} {purpose}; {source.title} is none. Leave it out.")


def _prepare(source: Source, store: storage.HasRoot, name: str, progress: Progress) -> dict[str, Any]:
    """Reads the source, splits it, and writes the tensor store; returns its description."""
    material = _read(source, store, progress)
    if not len(material.labels):
        raise DataError(f"{source.title} has no rows; there is nothing to train on.")
    spec = source.spec
    rows = material.split(spec)
    progress("Preparing", 0.0)
    with storage.build(store, name) as (path, meta):
        meta.update(_write(material, rows, spec, path))
    progress("Preparing", 1.0)
    return storage.read_meta(storage.folder(store, name)) or meta


def _read(source: Source, store: storage.HasRoot, progress: Progress) -> Material:
    """Reads a source; an error about a file names it, whoever raised it."""
    try:
        return source.read(store, progress)
    except DataError as error:
        file = Path(source.spec.name).name
        if source.spec.fingerprint is not None or not Path(source.spec.name).is_file() or file in str(error):
            raise
        raise DataError(f"{file!r}: {error}") from None


def _write(material: Material, rows: dict[str, np.ndarray], spec: DataSpec, path: Path) -> dict[str, Any]:
    preparation = material.fit(rows["train"], spec)
    for split in SPLIT_NAMES:
        material.write(path / f"{split}.inputs", rows[split])
        material.write_labels(path / f"{split}.labels", rows[split])
        np.save(path / f"{split}.rows.npy", material.row_ids[rows[split]].astype(np.int64))
        if material.raw is not None:
            forms.save_part(path / f"{split}.raw", material.raw, rows[split])
    described = {
        "kind": "prepared",
        "modality": material.modality,
        "classes": material.classes,
        "preparation": preparation.to_dict(),
        "problem": material.problem(preparation).to_dict(),
        "labelling": material.labelling(rows["train"]).to_dict(),
        **material.describe(),
    }
    remarks = [*material.remarks, *examine(_read_splits(path), described)]
    order = {"error": 0, "warning": 1, "note": 2}
    described["remarks"] = [r.to_dict() for r in sorted(remarks, key=lambda remark: order[remark.severity])]
    return described


def _read_splits(path: Path, splits: Sequence[str] = SPLIT_NAMES) -> dict[str, Split]:
    return {split: _read_split(path, split) for split in splits}


def _read_split(path: Path, split: str) -> Split:
    raw = path / f"{split}.raw"
    labels = forms.open_part(path / f"{split}.labels")
    return Split(
        inputs=forms.open_part(path / f"{split}.inputs"),
        labels=np.array(labels) if isinstance(labels, np.ndarray) else labels,
        row_ids=np.array(storage.open_array(path / f"{split}.rows.npy")),
        raw=forms.open_part(raw) if forms.has_part(raw) else None,
    )


def _open(source: Source, path: Path, meta: dict[str, Any]) -> PreparedDataset:
    return _opened(path, meta, name=source.name, title=source.title, spec=source.spec)


def _opened(
    path: Path, meta: dict[str, Any], *, name: str, title: str, spec: DataSpec, splits: Sequence[str] = SPLIT_NAMES
) -> PreparedDataset:
    return PreparedDataset(
        name=name,
        title=title,
        spec=spec,
        splits=_read_splits(path, splits),
        preparation=Preparation.from_dict(meta["preparation"]),
        meta=meta,
    )
