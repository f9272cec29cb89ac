"""The calls of a session that are about all runs of the store: comparison, queue, disk space, runs from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_lab.session.answers import ComparisonView, GcView, QueueView, Said

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary, Store
    from lepton_lab.session.run import Run


class StoreCalls:
    """The part of `Session` that looks after the store."""

    store: Store
    who: str

    def compare(
        self, run_ids: Sequence[str], *, sort: str | None = None, descending: bool = False, all_options: bool = False
    ) -> ComparisonView:
        """Puts runs side by side.

        Args:
            run_ids: Two runs or more.
            sort: The column to sort by ("val_accuracy", "learning_rate"), as `columns` of the result names it.
            descending: Whether the largest comes first.
            all_options: Whether options that are the same for all are shown too.

        Raises:
            UnknownName: If there is no such run.
            RunError: If no run is named, or there is no such column.
        """
        from lepton_lab.runs.compare import compare_runs

        found = compare_runs(self.store, list(run_ids))
        if sort:
            names = [column.name for column in found.columns]
            whole = sort if sort in names else next((name for name in names if name.endswith(f".{sort}")), sort)
            found = found.sorted_by(whole, descending=descending)
        return ComparisonView(found, all_options=all_options)

    def queue(self) -> QueueView:
        """What is at work and what waits, in the order in which it will start."""
        from lepton_lab.runs.queue import Queue
        from lepton_lab.runs.record import list_runs
        from lepton_lab.runs.states import ENDED

        slots = {entry.run_id: entry.slot for entry in Queue(self.store).entries() if entry.slot is not None}
        live = [summary for summary in list_runs(self.store) if summary.state not in ENDED]
        live.sort(key=lambda s: (s.queue_position is not None, s.queue_position or 0, s.created or 0.0))
        return QueueView(live, slots)

    def gc(
        self,
        *,
        apply: bool = False,
        keep_checkpoints: int = 1,
        caches: bool = False,
        older_than_days: float | None = None,
    ) -> GcView:
        """Says what could be freed, and with `apply` frees it. Pinned runs and checkpoints stay, so does the best.

        Args:
            apply: Whether to free it.
            keep_checkpoints: How many checkpoints stay in an ended run besides the best and the pinned ones.
            caches: Whether prepared datasets that no run needs may go.
            older_than_days: Whole runs that ended longer ago go too.
        """
        from lepton_lab.runs.housekeeping import collect, plan_gc

        plan = plan_gc(
            self.store, keep_checkpoints=keep_checkpoints, caches=caches, runs_older_than_days=older_than_days
        )
        return GcView(plan, collect(self.store, plan, by=self.who) if apply else None)

    def export(self, run_ids: Sequence[str], *, format: str = "csv", to: str | None = None) -> Said:
        """Writes runs as CSV (a row a run, or all points with format "curves"), for TensorBoard or for MLflow."""
        from lepton_lab.session.copies import export_runs

        made = export_runs(self.store, list(run_ids), format, to)
        return Said(made.get("text") or f"Written to {made['path']}.", made)

    def import_run(self, folder: str, *, name: str | None = None, move: bool = False) -> Run:
        """Copies a run's folder from elsewhere into the store; code that it brings is not run before it is trusted.

        Args:
            folder: The folder; or, with `LEPTON_SHARED_STORAGE`, the name of a run that a lost host has left there.
            name: The run's name here (default: as it was).
            move: Whether the copies on shared storage go.
        """
        from lepton_lab.runs.copies import take_up
        from lepton_lab.runs.lifecycle import import_run
        from lepton_lab.runs.shared import SharedStorage

        path = Path(folder).expanduser()
        if path.is_dir() or SharedStorage.set_by_user() is None:
            record = import_run(self.store, path, name=name, by=self.who)
        else:
            record = take_up(self.store, folder, by=self.who, as_name=name, move=move)
        return self.run(record.run_id)

    def run(self, run_id: str | None = None) -> Run:
        """The run of this id; see `Session`."""
        raise NotImplementedError


def matches(summary: RunSummary, text: str) -> bool:
    """Whether every word of a text stands in a run's name, title, tags, note, data, network or state."""
    s = summary
    said = " ".join([s.run_id, s.title or "", *s.tags, s.note, s.dataset, s.model, s.state]).lower()
    return all(word in said for word in text.lower().split())
