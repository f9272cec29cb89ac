"""Which rows train, which ones watch the progress, and which ones are kept for the final test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lepton_lab.errors import SpecError

SPLIT_NAMES = ("train", "validation", "test")

_Draw = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""Takes a share of some rows: (rows, fraction) to (what stays, what was taken)."""


def split_rows(
    num_rows: int,
    *,
    official: Mapping[str, np.ndarray] | None = None,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    how: str = "auto",
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> dict[str, np.ndarray]:
    """Divides rows.

    A part that the source has of its own ("test", "validation") is kept as it is, unless another split is asked for
    by name. Stratified: each part has the classes in the same shares; a class with a single row trains, it cannot be
    in two parts. By group: all rows of a group stay together. By time: the latest rows are the test part, the latest
    of the others watch the progress; rows of one moment stay together.

    Args:
        num_rows: N.
        official: Row numbers of the source's own parts; None when it has none.
        classes: Class numbers (N,), where there are any.
        groups: Group numbers (N,), where there are any.
        times: What the rows are ordered by (N,), where there is anything.
        how: "random", "stratified", "group", "time", or "auto": by time where times are given, else by group where
            groups are, else stratified where classes are, else random.
        validation_fraction: Share of the training rows (after the test part was taken away).
        test_fraction: Share of all rows, where the source has no test part.
        seed: Decides the draw; the same seed and rows give the same parts.

    Returns:
        Row numbers of "train", "validation" and "test", each ascending.

    Raises:
        SpecError: A split is asked for that needs a group, a time or classes, and there is none.
    """
    own = dict(official or {}) if how == "auto" else {}
    rows = own.get("train", np.arange(num_rows))
    if official and how != "auto":
        rows = np.unique(np.concatenate([np.asarray(part) for part in official.values()]))
    elif own and "train" not in own:
        rows = np.setdiff1d(rows, np.concatenate(list(own.values())))
    draw = _chosen(how, classes, groups, times, np.random.Generator(np.random.PCG64(seed)))
    parts: dict[str, np.ndarray] = {}
    for name, fraction in (("test", test_fraction), ("validation", validation_fraction)):
        if name in own:
            parts[name] = own[name]
        else:
            rows, parts[name] = draw(rows, fraction)
    return {"train": np.sort(rows), **{name: np.sort(parts[name]) for name in ("validation", "test")}}


def _chosen(
    how: str,
    classes: np.ndarray | None,
    groups: np.ndarray | None,
    times: np.ndarray | None,
    generator: np.random.Generator,
) -> _Draw:
    if how == "auto":
        given = {"time": times, "group": groups, "stratified": classes}
        how = next((name for name, values in given.items() if values is not None), "random")
    needs = {"time": (times, "a time column"), "group": (groups, "a group column"), "stratified": (classes, "classes")}
    values, what = needs.get(how, (None, ""))
    if what and values is None:
        raise SpecError(
            f"data: split is {how!r}, which needs {what}; this dataset has none. Name it with roles (column=time or "
            "column=group), or choose split random."
        )
    if values is None:
        values = np.zeros(0 if not what else 1, np.int64)
    if how == "time":
        return lambda rows, fraction: _latest(rows, values, fraction)
    if how == "group":
        return lambda rows, fraction: _whole_groups(rows, values, fraction, generator)
    if how == "stratified":
        return lambda rows, fraction: _by_class(rows, values, fraction, generator)
    return lambda rows, fraction: _by_class(rows, None, fraction, generator)


def _by_class(
    rows: np.ndarray, labels: np.ndarray | None, fraction: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Takes a share of the rows, class by class; without labels all rows are one class."""
    keys = generator.random(len(rows))
    labelled = np.zeros(len(rows), np.int64) if labels is None else labels[rows]
    classes, counts = np.unique(labelled, return_counts=True)
    taken = np.zeros(len(rows), dtype=bool)
    for value, quota in zip(classes, _quotas(counts, fraction), strict=True):
        members = np.flatnonzero(labelled == value)
        taken[members[np.argsort(keys[members], kind="stable")[:quota]]] = True
    return rows[~taken], rows[taken]


def _quotas(counts: np.ndarray, fraction: float) -> np.ndarray:
    """How many rows each class gives, so that the total is right and no class is emptied (largest remainder)."""
    wanted = counts * fraction
    quotas = np.floor(wanted).astype(np.int64)
    missing = round(float(counts.sum()) * fraction) - int(quotas.sum())
    order = np.argsort(-(wanted - quotas), kind="stable")
    quotas[order[:missing]] += 1
    allowed: np.ndarray = np.minimum(quotas, counts - 1)
    return allowed


def _whole_groups(
    rows: np.ndarray, groups: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Takes groups in a drawn order until the share is reached as nearly as whole groups allow; one group stays."""
    names, places, counts = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = generator.permutation(len(names))[: max(0, len(names) - 1)]
    wanted, total, taken = len(rows) * fraction, 0, np.zeros(len(names), dtype=bool)
    for group in order:
        if abs(total + counts[group] - wanted) < abs(total - wanted):
            taken[group] = True
            total += int(counts[group])
    if wanted and not taken.any() and len(names) > 2:
        taken[int(np.argmin(counts))] = True  # even the smallest group is more than twice the share
    return rows[~taken[places]], rows[taken[places]]


def _latest(rows: np.ndarray, times: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Takes the latest share of the rows; rows of the moment where the cut falls stay with the earlier ones."""
    quota = round(len(rows) * fraction)
    if not quota:
        return rows, rows[:0]
    ordered = np.sort(times[rows], kind="stable")
    taken = times[rows] > ordered[len(rows) - quota - 1] if quota < len(rows) else np.ones(len(rows), dtype=bool)
    return rows[~taken], rows[taken]
