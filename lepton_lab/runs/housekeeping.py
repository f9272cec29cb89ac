"""Disk space: what a run takes, what could go, and taking it away. Nothing goes before it has been named.

`plan_gc` says what would be freed and why; `collect` removes exactly that, leaving out what has changed since.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_lab.errors import LeptonError, RunError, StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.checkpoints import superfluous
from lepton_lab.runs.copies import RunCopies
from lepton_lab.runs.events import EventLog, RunBusy
from lepton_lab.runs.labels import read_labels
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import run_names
from lepton_lab.runs.shared import SharedStorage
from lepton_lab.runs.states import ENDED

_LEFT_SECONDS = 3600.0
"""What a crash left half made or half deleted is removed when it is older than this."""
_LEFT_PREFIXES = (".new-", ".trash-")
_DAY_SECONDS = 86_400.0
_PARTS = ("checkpoints", "bundle", "events.jsonl", "worker.log")


@dataclass(frozen=True)
class GcItem:
    """One thing that could go."""

    kind: str
    """"checkpoint", "leftover", "cache", "run" or "copy"."""
    name: str
    """What it is, as a person would say it."""
    path: Path
    bytes: int
    why: str
    run_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The item as plain values."""
        return {**self.__dict__, "path": str(self.path)}


@dataclass(frozen=True)
class GcPlan:
    """What `collect` would remove."""

    items: list[GcItem]
    remark: str = ""
    """What could not be looked at, and why."""

    @property
    def bytes(self) -> int:
        """What would be freed."""
        return sum(item.bytes for item in self.items)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {"bytes": self.bytes, "items": [item.to_dict() for item in self.items]}

    def __str__(self) -> str:
        if not self.items:
            nothing = "There is nothing to free."
            return f"{nothing}\n{self.remark}" if self.remark else nothing
        lines = [f"{item.name}: {human_bytes(item.bytes)} ({item.why})" for item in self.items]
        return "\n".join([*lines, f"In all {human_bytes(self.bytes)} would be freed.", *filter(None, [self.remark])])


@dataclass(frozen=True)
class RunSize:
    """What a run's folder takes, in bytes."""

    run_id: str
    bytes: int
    checkpoints_bytes: int
    bundle_bytes: int
    events_bytes: int
    log_bytes: int
    num_checkpoints: int


def run_size(store: Store, run_id: str) -> RunSize:
    """What one run takes."""
    folder = store.run_dir(run_id)
    checkpoints, bundle, events, log = (folder_bytes(folder / part) for part in _PARTS)
    try:
        num = sum(entry.is_dir() and entry.name.isdecimal() for entry in os.scandir(folder / "checkpoints"))
    except OSError:
        num = 0
    return RunSize(run_id, folder_bytes(folder), checkpoints, bundle, events, log, num)


def store_sizes(store: Store) -> dict[str, Any]:
    """What the store takes: `{"runs": [RunSize, largest first], "cache_bytes", "endpoints_bytes", "free_bytes"}`."""
    sizes = sorted((run_size(store, name) for name in run_names(store)), key=lambda size: -size.bytes)
    return {
        "runs": sizes,
        "runs_bytes": sum(size.bytes for size in sizes),
        "cache_bytes": folder_bytes(store.caches_dir),
        "endpoints_bytes": folder_bytes(store.endpoints_dir),
        "free_bytes": shutil.disk_usage(store.root).free if store.root.exists() else 0,
    }


def plan_gc(
    store: Store,
    *,
    keep_checkpoints: int = 1,
    caches: bool = False,
    runs_older_than_days: float | None = None,
    clock: float | None = None,
) -> GcPlan:
    """What could go, and why; removes nothing.

    Runs that are at work or wait are left alone, pinned runs as well. Of the others, the last, the best and the pinned
    checkpoints stay.

    Args:
        store: The store.
        keep_checkpoints: How many checkpoints stay in an ended run besides the best and the pinned ones, at least 1.
        caches: Whether prepared datasets that no run was given as such may go; those of a source (a file, a dataset's
            name) are made again when they are asked for, arrays of a notebook have to be given again.
        runs_older_than_days: Whole runs that ended longer ago go too, unless pinned (default: none).
        clock: The time, in unix seconds (default: now).
    """
    now = time.time() if clock is None else clock
    items = list(_leftovers(store, now))
    for run_id in run_names(store):
        run_dir = store.runs_dir / run_id
        ended = _ended(run_dir)
        labels = read_labels(run_dir)
        if ended is None or labels.pinned:
            continue
        age_days = (now - ended) / _DAY_SECONDS
        if runs_older_than_days is not None and age_days > runs_older_than_days:
            why = f"it ended {age_days:.0f} days ago"
            items.append(GcItem("run", f"run {run_id}", run_dir, folder_bytes(run_dir), why, run_id))
            continue
        for path in superfluous(run_dir, max(1, keep_checkpoints), labels.pinned_checkpoints):
            name = f"checkpoint {path.name.lstrip('0') or '0'} of {run_id}"
            items.append(GcItem("checkpoint", name, path, folder_bytes(path), "there is a later one", run_id))
    if caches:
        items += _unused_caches(store, now)
    try:
        items += _copies_without_runs(store)
    except LeptonError as error:
        return GcPlan(items, str(error))
    return GcPlan(items)


def collect(store: Store, plan: GcPlan, *, by: str) -> int:
    """Removes what the plan names; returns the bytes that were freed.

    What is not as the plan saw it (a run that was resumed since, a checkpoint that was pinned) is left alone.
    """
    from lepton_lab.runs.lifecycle import delete_run

    freed = 0
    for item in plan.items:
        try:
            if item.kind == "run" and item.run_id is not None:
                freed += delete_run(store, item.run_id, by=by)
            elif item.kind == "checkpoint" and item.run_id is not None:
                freed += _remove_checkpoint(store, item)
            elif item.kind == "copy" and item.run_id is not None:
                freed += _remove_copies(store, item)
            elif item.path.is_relative_to(store.root):
                shutil.rmtree(item.path, ignore_errors=True)
                freed += 0 if item.path.exists() else item.bytes
        except (RunError, LookupError):
            continue  # somebody has been faster, or the run is wanted again
    return freed


def folder_bytes(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; 0 where there is none."""
    try:
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
        with os.scandir(path) as entries:
            return sum(
                folder_bytes(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else _size(entry)
                for entry in entries
            )
    except OSError:
        return 0


def human_bytes(count: float) -> str:
    """A number of bytes as a person reads it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _leftovers(store: Store, now: float) -> Iterator[GcItem]:
    """What a crash left: folders half made or half deleted."""
    try:
        entries = sorted(os.scandir(store.runs_dir), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(_LEFT_PREFIXES):
            continue
        is_trash = entry.name.startswith(".trash-")
        if is_trash or now - entry.stat().st_mtime > _LEFT_SECONDS:
            why = "its run was deleted" if is_trash else "its run was never made whole"
            yield GcItem("leftover", entry.name, Path(entry.path), folder_bytes(Path(entry.path)), why)


def _ended(run_dir: Path) -> float | None:
    """When a run ended, in unix seconds; None while it has not, or cannot be read."""
    try:
        fold = snapshot.load(run_dir).fold
    except (OSError, StoreError):
        return None
    return (fold.summary().ended or 0.0) if fold.seq and fold.state in ENDED else None


def _unused_caches(store: Store, now: float) -> Iterator[GcItem]:
    """Prepared datasets that no run names. One that was used within the last day stays: a notebook may hold it."""
    used = _fingerprints(store)
    try:
        entries = sorted(os.scandir(store.caches_dir), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir() and entry.name not in used and now - entry.stat().st_mtime > _DAY_SECONDS:
            yield GcItem("cache", f"prepared dataset {entry.name}", path, folder_bytes(path), "no run was given it")


def _copies_without_runs(store: Store) -> Iterator[GcItem]:
    """Copies on shared storage that this store has made, of runs that it has not any more.

    Raises:
        RunError: The storage cannot be read.
    """
    storage = SharedStorage.set_by_user()
    if storage is None:
        return
    for run_id in storage.folders(f"runs/{store.id}"):
        if not store.run_dir(run_id).exists():
            copies = RunCopies.of(storage, store, run_id)
            why = "its run is not in this store any more"
            yield GcItem(
                "copy", f"copies of {run_id} on shared storage", Path(copies.place), copies.bytes(), why, run_id
            )


def _remove_copies(store: Store, item: GcItem) -> int:
    storage = SharedStorage.set_by_user()
    if storage is None or store.run_dir(str(item.run_id)).exists():
        return 0
    RunCopies.of(storage, store, str(item.run_id)).remove()
    return item.bytes


def _fingerprints(store: Store) -> set[str]:
    """The caches that a run's data was given as: arrays and frames, which cannot be loaded again from elsewhere."""
    found = set()
    for run_id in run_names(store):
        try:
            found.add(str(read_json(store.runs_dir / run_id / "spec.json")["data"].get("fingerprint")))
        except (StoreError, KeyError, TypeError, AttributeError):
            continue
    return found


def _remove_checkpoint(store: Store, item: GcItem) -> int:
    run_dir = store.run_dir(str(item.run_id))
    try:
        with EventLog.open_writer(run_dir, wait_seconds=0.0) as writer:
            labels = read_labels(run_dir)
            still = item.path in superfluous(run_dir, 1, labels.pinned_checkpoints)
            if writer.state not in ENDED or labels.pinned or not still:
                return 0
            doomed = item.path.with_name(f".new-{item.path.name}-gone")  # half removed, it is no checkpoint
            item.path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
            return item.bytes
    except (RunBusy, OSError):
        return 0
