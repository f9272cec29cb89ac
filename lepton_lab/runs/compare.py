"""Runs side by side: one row each, the options in which they differ, their curves over one another.

Everything here is plain values, computed from the records alone; the faces draw, sort and filter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs.branch import flat_options
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.summary import RunSummary

MOST_POINTS = 2000
"""Points of a curve that a comparison carries at most; a screen has no room for more."""
_BY_METRIC = ("val", "best_val", "train", "test")
_RESULTS = ("val_loss", "train_loss", "elapsed_seconds", "samples_per_second", "step", "restarts")
_NO_OPTIONS = ("schema_version", "train.name", "model.source")


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    name: str
    kind: str
    """"run", "option" or "result"."""
    differs: bool
    """Whether the runs have different values here: what is worth highlighting."""


@dataclass(frozen=True)
class Comparison:
    """Some runs, side by side."""

    columns: list[Column]
    rows: list[dict[str, Any]]
    """One row a run: its value in each column, by the column's name; None where it has none."""
    curves: dict[str, dict[str, dict[str, list[float | None]]]] = field(default_factory=dict)
    """`{"val_accuracy": {run_id: {"epoch": [...], "value": [...]}}}`."""

    def differing(self) -> list[str]:
        """The options in which the runs differ."""
        return [column.name for column in self.columns if column.kind == "option" and column.differs]

    def sorted_by(self, name: str, *, descending: bool = False) -> Comparison:
        """The same with its rows in the order of a column; rows without a value come last.

        Raises:
            RunError: If there is no such column.
        """
        if name not in {column.name for column in self.columns}:
            known = ", ".join(column.name for column in self.columns)
            raise RunError(f"The table has no column {name!r}; it has: {known}.")
        having = [row for row in self.rows if row[name] is not None]
        missing = [row for row in self.rows if row[name] is None]
        having.sort(key=lambda row: _sortable(row[name]), reverse=descending)
        return Comparison(self.columns, having + missing, self.curves)

    def where(self, keep: Callable[[dict[str, Any]], bool]) -> Comparison:
        """The same with only the rows that are to be kept, and the differences among those."""
        rows = [row for row in self.rows if keep(row)]
        columns = [Column(each.name, each.kind, _differs(rows, each.name)) for each in self.columns]
        kept = {row["run_id"] for row in rows}
        curves = {name: {run: points for run, points in of.items() if run in kept} for name, of in self.curves.items()}
        return Comparison(columns, rows, curves)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values, ready for JSON."""
        return {
            "columns": [column.__dict__ for column in self.columns],
            "rows": self.rows,
            "curves": self.curves,
            "differing": self.differing(),
        }


def compare_runs(store: Store, run_ids: Sequence[str], *, curves: bool = True, most: int = MOST_POINTS) -> Comparison:
    """Puts runs side by side.

    Args:
        store: The store.
        run_ids: Which runs, in the order of the rows; named twice counts once.
        curves: Whether to read the curves as well.
        most: Points a curve has at most.

    Raises:
        UnknownName: If there is no such run.
        RunError: If no run is named.
    """
    records = [RunRecord.find(store, run_id) for run_id in dict.fromkeys(run_ids)]
    if not records:
        raise RunError("compare was given no run; name two or more.")
    metrics = list(dict.fromkeys(record.summary().metric for record in records))
    rows = [_row(record, metrics) for record in records]
    results = list(rows[0][2])
    options = list(dict.fromkeys(name for row in rows for name in row[1]))
    table = [{**run, **{name: of.get(name) for name in options}, **reached} for run, of, reached in rows]
    names = [(name, "run") for name in rows[0][0]]
    names += [(name, "option") for name in options]
    names += [(name, "result") for name in results]
    columns = [Column(name, kind, _differs(table, name)) for name, kind in names]
    return Comparison(columns, table, curves_of(records, most) if curves else {})


def curves_of(
    records: Sequence[RunRecord], most: int = MOST_POINTS
) -> dict[str, dict[str, dict[str, list[float | None]]]]:
    """The runs' curves by name, to be drawn over one another: `{name: {run_id: {"epoch", "value"}}}`.

    A curve with more points than `most` is thinned to the smallest and largest value of each stretch, so that no
    spike is lost.
    """
    found: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for record in records:
        try:
            curve = record.curve()
        except StoreError:
            continue
        for name, series in curve.series.items():
            x, y = extremes(series.x, series.y, most)
            values = [None if value != value else value for value in y]
            found.setdefault(name, {})[record.run_id] = {"epoch": list(x), "value": values}
    return found


def extremes(x: Sequence[float], y: Sequence[float], most: int) -> tuple[list[float], list[float]]:
    """Thins a curve to so many points: of each stretch its smallest and its largest value, in order."""
    count = len(x)
    if count <= most:
        return list(x), list(y)
    stretches = max(1, most // 2)
    kept: list[int] = []
    for k in range(stretches):
        indexes = range(k * count // stretches, (k + 1) * count // stretches)
        real = [i for i in indexes if y[i] == y[i]] or [indexes[0]]
        kept += sorted({min(real, key=y.__getitem__), max(real, key=y.__getitem__)})
    return [x[i] for i in kept], [y[i] for i in kept]


def _row(record: RunRecord, metrics: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A run's name and labels, its options, its results."""
    summary = record.summary()
    run = {
        "run_id": record.run_id,
        "title": summary.title,
        "tags": " ".join(summary.tags),
        "user": summary.user,
        "created": summary.created,
        "parent": summary.parent["run_id"] if summary.parent else None,
    }
    reached: dict[str, Any] = {"state": summary.state, "epoch": summary.epoch}
    for metric in metrics:
        for part in _BY_METRIC:
            reached[f"{part}_{metric}"] = getattr(summary, f"{part}_metric") if summary.metric == metric else None
    return run, _options(record, summary), reached | {name: getattr(summary, name) for name in _RESULTS}


def _options(record: RunRecord, summary: RunSummary) -> dict[str, Any]:
    """What was asked for, with what the product chose where that was left to it."""
    try:
        options = flat_options(record.spec().model_dump(mode="json"))
        chosen = _plan(record)
    except (StoreError, ValueError):
        return {"data.name": summary.dataset, "model.name": summary.model}
    for name, value in options.items():
        part, _, option = name.partition(".")
        if part == "train" and value in (None, "auto") and option in chosen:
            options[name] = chosen[option]
    return {name: value for name, value in options.items() if name not in _NO_OPTIONS}


def _plan(record: RunRecord) -> dict[str, Any]:
    from lepton_lab.runs.atomic import read_json

    path = record.dir / "plan.json"
    return dict(read_json(path)) if path.exists() else {}


def _differs(rows: Sequence[dict[str, Any]], name: str) -> bool:
    return any(row[name] != rows[0][name] for row in rows[1:])


def _sortable(value: Any) -> tuple[int, float, str]:
    """Numbers by size, before texts by their letters."""
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, str(value)
