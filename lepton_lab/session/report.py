"""The evaluation of a run on the rows that training never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, RunFailed
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import accuracy, count, table

if TYPE_CHECKING:
    from lepton_lab.session.dataset import Dataset
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run


class Report(Shown):
    """How well a run's best weights do on the test rows. `values` is the run's report.json."""

    def __init__(self, run_id: str, values: dict[str, Any], dataset: Dataset) -> None:
        self.run_id, self.values, self.dataset = run_id, values, dataset

    @property
    def accuracy(self) -> float:
        """Share of the rows predicted right."""
        return float(self.values["accuracy"])

    @property
    def f1(self) -> float:
        """F1 averaged over the classes, each counting the same."""
        return float(self.values["f1_macro"])

    @property
    def classes(self) -> list[dict[str, Any]]:
        """Precision, recall, F1 and rows of each class."""
        return list(self.values["classes"])

    @property
    def confusion(self) -> list[list[int]]:
        """Rows counted by truth (down) and prediction (across)."""
        return list(self.values["confusion"])

    @property
    def mistakes(self) -> list[dict[str, Any]]:
        """The worst mistakes first: row, truth, prediction, confidence."""
        return list(self.values["mistakes"])

    def to_dict(self) -> dict[str, Any]:
        return {"run_id": self.run_id, **self.values}

    def __str__(self) -> str:
        head = ("class", "precision", "recall", "F1", "rows")
        rows = [
            (c["name"], *(accuracy(c[key]) for key in ("precision", "recall", "f1")), count(c["support"]))
            for c in self.classes
        ]
        first = f"{self.run_id}: test accuracy {accuracy(self.accuracy)}, F1 {accuracy(self.f1)}"
        return f"{first}, {count(self.values['rows'])} rows\n{table(head, rows)}"


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
