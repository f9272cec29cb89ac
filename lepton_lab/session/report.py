"""The evaluation of a run on the rows that training never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, RunFailed
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import accuracy, count, metric, score, table
from lepton_lab.words import N_, _

if TYPE_CHECKING:
    from lepton_lab.session.dataset import Dataset
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run


class Report(Shown):
    """How well a run's best weights do on the test rows. `values` is the run's report.json."""

    def __init__(self, run_id: str, values: dict[str, Any], dataset: Dataset) -> None:
        self.run_id, self.values, self.dataset = run_id, values, dataset

    @property
    def task(self) -> str:
        """What was learnt: a name of `specs.TASKS`."""
        return str(self.values.get("task", "classification"))

    @property
    def metric(self) -> str:
        """The name of the figure that the task is judged by."""
        return str(self.values.get("metric", "accuracy"))

    @property
    def score(self) -> float:
        """The figure that the task is judged by."""
        return float(self.values[self.metric])

    @property
    def accuracy(self) -> float:
        """Classification: share of the rows predicted right."""
        return float(self._of_task("accuracy"))

    @property
    def f1(self) -> float:
        """Classes and labels: F1 averaged over them, each counting the same."""
        return float(self._of_task("f1_macro"))

    @property
    def classes(self) -> list[dict[str, Any]]:
        """Figures and rows of each class; empty where there are no classes."""
        return list(self.values.get("classes", []))

    @property
    def confusion(self) -> list[list[int]]:
        """Classification: rows counted by truth (down) and prediction (across); else empty."""
        return list(self.values.get("confusion", []))

    @property
    def mistakes(self) -> list[dict[str, Any]]:
        """Classification: the worst mistakes first (row, truth, prediction, confidence); else empty."""
        return list(self.values.get("mistakes", []))

    @property
    def sample(self) -> dict[str, Any] | None:
        """Language models: `prompt`, and the `text` that the network went on with; None for other tasks."""
        found: dict[str, Any] | None = self.values.get("sample")
        return found

    def _of_task(self, name: str) -> Any:
        if name not in self.values:
            raise RunError(f"The report of {self.run_id} has no {name}: {self.task} is judged by {self.metric}.")
        return self.values[name]

    def to_dict(self) -> dict[str, Any]:
        return {"run_id": self.run_id, **self.values}

    def __str__(self) -> str:
        more = f", F1 {accuracy(self.f1)}" if "f1_macro" in self.values and self.metric != "f1" else ""
        rows = count(self.values["rows"])
        first = _(f"{self.run_id}: test {metric(self.metric)} {score(self.score)}{more}, {rows} rows")
        tables = [table(head, lines) for _, head, lines in report_tables(self)]
        written = [_("It goes on from the first test row:") + f"\n{self.sample['text']}"] if self.sample else []
        return "\n".join([first, *tables, *written])


Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
"""A title, the heads of the columns, the rows."""

_COLUMNS = {
    "classes": (N_("Figures by class"), N_("class"), ("precision", "recall", "f1", "map50"), "support"),
    "targets": (N_("Figures by target"), N_("target"), ("mae", "rmse", "r2", "mse", "mae_units"), None),
}
_HEADS = {"f1": "F1", "r2": "R²", "mae_units": N_("MAE in units"), "map50": "mAP@0.5", "support": N_("rows")}


def report_tables(report: Report) -> list[Table]:
    """The figures of a report by class or by target, as tables of texts."""
    tables: list[Table] = []
    for key, (title, first, names, last) in _COLUMNS.items():
        entries = report.values.get(key) or []
        present = [name for name in names if any(name in entry for entry in entries)]
        if not entries or (key == "targets" and len(entries) == 1 and report.task != "forecasting"):
            continue
        named = (_(_HEADS[name]) if name in _HEADS else metric(name) for name in present)
        titles = (_(first), *named, *([_(_HEADS["support"])] if last else []))
        lines = [
            (
                str(entry["name"]),
                *(score(entry.get(name)) for name in present),
                *([count(entry[last])] if last else []),
            )
            for entry in entries
        ]
        tables.append((_(title), titles, lines))
    return tables


def report_of(run: Run, session: Session) -> Report:
    """The report of a run; waits for the run where it has none yet.

    Raises:
        RunFailed: If the run failed before there was a report.
        RunError: If the run ended without one.
    """
    values = run.record.report()
    if values is None:
        with session.waiting(run) as watch:
            summary = run.until_over(watch)
        values = run.record.report()
        if values is None and str(summary.state) == "failed":
            raise RunFailed(f"{run.id} failed: {summary.message or summary.reason}", summary.reason or "error")
    if values is None:
        raise RunError(f"{run.id} was stopped before it could be evaluated; resume it to get a report.")
    return Report(run.id, values, session.dataset_of(run))
