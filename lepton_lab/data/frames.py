"""Data frames of a notebook: kept in the cache as one Arrow file, so that any process can load them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.data import fingerprint, storage
from lepton_lab.errors import DataError
from lepton_lab.specs import DataSpec

if TYPE_CHECKING:
    import polars as pl


def keep_frame(
    inputs: Any, labels: Any, classes: Sequence[str] | None, store: storage.HasRoot, options: dict[str, Any]
) -> DataSpec:
    """Keeps a pandas or polars frame in the cache and returns the spec that loads it.

    Args:
        inputs: The frame.
        labels: One label per row, or None where the frame has the target as a column.
        classes: Names of the classes, where labels are positions in that list.
        store: Where data is kept.
        options: Fields of `DataSpec`.

    Raises:
        DataError: When a column cannot be read, or there is not one label per row.
    """
    spec = DataSpec.parse(options)
    frame = _plain(inputs)
    if labels is not None:
        name = spec.target or _free_name(frame.columns)
        frame = frame.with_columns(_label_series(labels, name, frame))
        spec = spec.changed(target=name)
    described = {
        "kind": "source",
        "modality": "table",
        "classes": [str(name) for name in classes] if classes is not None else None,
    }
    buffer = io.BytesIO()
    frame.rechunk().write_ipc(buffer, compression="uncompressed")
    content = fingerprint.of_values(hashlib.sha256(buffer.getbuffer()).hexdigest(), described)
    if storage.read_meta(storage.folder(store, content)) is None:
        with storage.build(store, content) as (path, meta):
            meta.update(described)
            (path / "frame.arrow").write_bytes(buffer.getbuffer())
    return spec.changed(fingerprint=content)


def numbered_frame(array: np.ndarray) -> pl.DataFrame:
    """A table of numbers (N, F) as a frame with the columns x0, x1, ..."""
    import polars as pl

    numbers = array.astype(np.float64) if array.dtype.kind == "f" else array
    return pl.from_numpy(np.ascontiguousarray(numbers), schema=[f"x{place}" for place in range(array.shape[1])])


def _plain(inputs: Any) -> pl.DataFrame:
    """The frame as polars has it, column names as texts."""
    import polars as pl

    if isinstance(inputs, pl.DataFrame):
        return inputs
    if isinstance(inputs, pl.LazyFrame):
        return inputs.collect()
    names = [str(name) for name in inputs.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"The frame has two columns called {twice!r}; rename one.")
    columns = []
    for place, name in enumerate(names):
        try:
            columns.append(pl.Series(name, pl.from_pandas(inputs.iloc[:, place])))
        except Exception as error:  # pyarrow has its own family of errors for cells of mixed types
            raise DataError(f"The column {name!r} mixes types that cannot be told apart ({error}).") from None
    return pl.DataFrame(columns)


def _free_name(names: Sequence[str]) -> str:
    name = "label"
    while name in names:
        name += "_"
    return name


def _label_series(labels: Any, name: str, frame: pl.DataFrame) -> pl.Series:
    import polars as pl

    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    values = labels.to_list() if hasattr(labels, "to_list") else np.asarray(labels).tolist()
    if len(values) != frame.height:
        raise DataError(f"There are {frame.height:,} rows and {len(values):,} labels; every row needs one label.")
    try:
        return pl.Series(name, values)
    except TypeError:
        return pl.Series(name, [None if value is None else str(value) for value in values])
