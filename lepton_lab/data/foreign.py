"""Datasets of other libraries in a notebook: Arrow tables, Hugging Face datasets, torch datasets, dicts of columns.

Each is told by what it can do, without importing its library, and becomes a frame or arrays with their labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SPLIT_COLUMN = "split"
_MAX_SIDE = 64
_FRAMES = ("pandas", "polars")


@dataclass(frozen=True)
class Foreign:
    """What came out of another library's dataset.

    Attributes:
        inputs: A frame, or an array.
        labels: One label per row, or None where a frame has the target as a column.
        classes: Names of the classes, where the dataset knows them.
        target: The frame's target, where the dataset knows it.
        roles: Roles of columns that the dataset knows.
    """

    inputs: Any
    labels: Any = None
    classes: Sequence[str] | None = None
    target: str | None = None
    roles: dict[str, str] = field(default_factory=dict)


def is_frame(source: Any) -> bool:
    """Whether something is a pandas or polars frame, told without importing either."""
    return type(source).__module__.split(".")[0] in _FRAMES and hasattr(type(source), "columns")


def holds_labels(source: Any) -> bool:
    """Whether something is a dataset whose labels need not be given apart: a frame, or one of another library."""
    return is_frame(source) or _reader(source) is not None


def unpack(source: Any, target: str | None = None) -> Foreign | None:
    """Takes a dataset of another library apart; None where it is something else.

    Args:
        source: An object from a notebook.
        target: The column to predict, where a person named one.

    Raises:
        DataError: Its rows are of a kind that cannot be learnt from.
    """
    reader = _reader(source)
    return None if reader is None else reader(source, target)


def _reader(source: Any) -> Callable[[Any, str | None], Foreign] | None:
    if is_frame(source) or isinstance(source, str | bytes | np.ndarray):
        return None
    ancestors = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(source).__mro__}
    if "torch.utils.data.dataset.Dataset" in ancestors:
        return _from_torch
    if any(name.startswith("datasets.") and name.endswith((".Dataset", ".DatasetDict")) for name in ancestors):
        return _from_hugging_face
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return _from_arrow
    if isinstance(source, Mapping) and source and all(isinstance(name, str) for name in source):
        return _from_columns
    return None


def _from_columns(source: Mapping[str, Any], target: str | None) -> Foreign:
    import polars as pl

    try:
        columns = [pl.Series(name, _plain_column(cells)) for name, cells in source.items()]
        return Foreign(pl.DataFrame(columns))
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The dict is no table ({str(error).splitlines()[0][:120]}); expected a list for each column."
        ) from None


def _plain_column(cells: Any) -> Any:
    return cells.detach().cpu().numpy() if hasattr(cells, "detach") else cells


def _from_arrow(source: Any, target: str | None) -> Foreign:
    """Anything with the Arrow PyCapsule interface: pyarrow, DuckDB, nanoarrow, ibis, ..."""
    import polars as pl

    try:
        frame = pl.DataFrame(source)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0][:120]
        raise DataError(f"The Arrow data of a {type(source).__name__} cannot be read ({reason}).") from None
    return Foreign(frame)


def _from_hugging_face(source: Any, target: str | None) -> Foreign:
    """A `datasets.Dataset`, or a dict of them by split."""
    import polars as pl

    parts = dict(source) if isinstance(source, Mapping) else {"": source}
    first = next(iter(parts.values()))
    features = getattr(first, "features", None) or {}
    labelled = [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    chosen = target if target in features else next((n for n in ("label", "labels") if n in labelled), None)
    chosen = chosen or (labelled[0] if len(labelled) == 1 else None)
    pictures = next((name for name, feature in features.items() if type(feature).__name__ == "Image"), None)
    if pictures is not None:
        return _pictures_of(first if len(parts) == 1 else _chained(parts), pictures, chosen, features)
    sounds = next((name for name, feature in features.items() if type(feature).__name__ == "Audio"), None)
    if sounds is not None:
        raise DataError(
            f"The column {sounds!r} holds sounds; save them as WAV files in a folder per class and load that."
        )
    frames = [pl.DataFrame(part.with_format("arrow")[:]) for part in parts.values()]
    frame = pl.concat(frames, how="vertical_relaxed")
    roles = {}
    if len(parts) > 1 and SPLIT_COLUMN not in frame.columns:
        names = [name for name, part in parts.items() for _ in range(len(part))]
        frame, roles = frame.with_columns(pl.Series(SPLIT_COLUMN, names)), {SPLIT_COLUMN: "split"}
    for name in labelled:
        frame = _named(frame, name, list(features[name].names))
    return Foreign(frame, target=chosen, roles=roles)


def _named(frame: pl.DataFrame, name: str, names: list[str]) -> pl.DataFrame:
    """Class numbers as names; -1 stands for "no label" in these datasets."""
    import polars as pl

    numbers = list(range(len(names)))
    return frame.with_columns(pl.col(name).replace_strict(numbers, names, default=None, return_dtype=pl.String))


def _chained(parts: Mapping[str, Any]) -> Any:
    """The rows of all parts one after the other."""
    return [part[row] for part in parts.values() for row in range(len(part))]


def _pictures_of(rows: Any, pictures: str, target: str | None, features: Any) -> Foreign:
    if target is None:
        raise DataError(f"The pictures of {pictures!r} have no column of labels; name it with target.")
    images = _stacked([rows[row][pictures] for row in range(len(rows))])
    labels = np.array([rows[row][target] for row in range(len(rows))])
    names = getattr(features[target], "names", None)
    return Foreign(images, labels, list(names) if names else None)


def _from_torch(source: Any, target: str | None) -> Foreign:
    """A `torch.utils.data.Dataset` of (input, label) pairs: tensors, arrays, pictures, texts or dicts."""
    rows = [source[row] for row in range(len(source))] if hasattr(source, "__len__") else list(source)
    if not rows:
        raise DataError("The torch dataset has no rows; there is nothing to train on.")
    classes = getattr(source, "classes", None)
    classes = [str(name) for name in classes] if isinstance(classes, list | tuple) else None
    if all(isinstance(row, Mapping) for row in rows):
        return Foreign(_rows_frame(rows))
    if not all(isinstance(row, tuple | list) and len(row) == 2 for row in rows):
        raise DataError(f"A row of the torch dataset is a {type(rows[0]).__name__}; expected (input, label) or a dict.")
    inputs, labels = [row[0] for row in rows], np.array([_number(row[1]) for row in rows])
    if all(isinstance(item, str) for item in inputs):
        return Foreign(texts_frame(inputs), labels, classes, roles={"text": "text"})
    return Foreign(_stacked(inputs), labels, classes)


def _rows_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame([{name: _number(cell) for name, cell in row.items()} for row in rows], infer_schema_length=None)


def texts_frame(texts: Sequence[str]) -> pl.DataFrame:
    """Texts as a frame with one column."""
    import polars as pl

    return pl.DataFrame({"text": list(texts)})


def _number(value: Any) -> Any:
    """A label as Python has it."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return value.item() if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1 else value


def _stacked(items: Sequence[Any]) -> np.ndarray:
    """Inputs as one array; pictures of different sizes are brought to one."""
    if all(hasattr(item, "convert") and hasattr(item, "size") for item in items):
        return _stacked_pictures(items)
    arrays = [np.asarray(item.detach().cpu() if hasattr(item, "detach") else item) for item in items]
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise DataError(f"The inputs have different shapes, such as {' and '.join(map(str, sorted(shapes)[:2]))}.")
    return np.stack(arrays)


def _stacked_pictures(items: Sequence[Any]) -> np.ndarray:
    grey = all(item.mode in ("1", "L", "I", "F", "LA") for item in items)
    sizes = {item.size for item in items}
    size = next(iter(sizes)) if len(sizes) == 1 else (_MAX_SIDE, _MAX_SIDE)
    converted = [item.convert("L" if grey else "RGB") for item in items]
    return np.stack([np.asarray(item if item.size == size else item.resize(size)) for item in converted])
