"""The studio's search for good options: starts a study, follows it, and goes on with its best trial."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from lepton_lab.errors import RunError, SpecError
from lepton_lab.session import Run, Session, Study
from lepton_lab.session.study import ranked, sentence
from lepton_lab.tuning.record import ACTIVE, Table
from lepton_lab.widgets.studio_words import Spoken
from lepton_lab.words import say

MOST_TRIALS = 60
"""Trials that the page is told of, the best first."""


class Searching(Spoken):
    """The part of `Studio` that is about studies; the table of the one in sight is the trait `study`."""

    _session: Session
    choices: dict[str, Any]
    values: dict[str, Any]
    study: dict[str, Any] | None

    def _follow(self, run: Run) -> None:
        """Shows a run; see `Studio`."""
        raise NotImplementedError

    def _ready_model(self) -> None:
        """Loads the data and selects the network where that is still to be done; see `Studio`."""
        raise NotImplementedError

    def _tune(self, content: dict[str, Any]) -> None:
        if not self.choices["search"]:
            raise SpecError("A search for options cannot be started from a dashboard.")
        self._ready_model()
        asked = {**self.values["train"], **self.values["tune"]}
        asked.pop("name", None)  # the name of one run
        self._follow_study(self._session.tune(wait=False, **asked))

    def _stop_study(self, content: dict[str, Any]) -> None:
        self._show_study(self._study_in_sight().stop())

    def _take_best(self, content: dict[str, Any]) -> None:
        """The best trial's run comes into sight: its report, its variants and its endpoint are a step away."""
        self._follow(self._study_in_sight().best)

    def _study_in_sight(self) -> Study:
        if self.study is None:
            raise RunError("There is no study yet; start a search first.")
        return self._session.study(self.study["study"])

    def _take_over_study(self) -> None:
        """Shows a study that goes on in the store."""
        found = self._session.studies().studies[:1]
        if found and found[0].state in ACTIVE:
            self._follow_study(found[0])

    def _follow_study(self, study: Study) -> None:
        self._show_study(study)
        if study.state in ACTIVE:
            threading.Thread(target=self._watch_study, args=(study,), daemon=True).start()

    def _watch_study(self, study: Study) -> None:
        with contextlib.suppress(RunError):  # the table says why it failed
            study.wait(watch=self._show_table)
        self._show_study(study)

    def _show_study(self, study: Study) -> None:
        self._show_table(study.table)

    def _study_said(self, table: Table) -> dict[str, Any]:
        """A study for the page, in the page's language."""
        with self._speaking():
            return {**study_values(table), "message": say(table.message or "")}

    def _show_table(self, table: Table) -> None:
        shown = self._study_said(table)
        if shown != self.study:
            self.study = shown


def study_values(table: Table) -> dict[str, Any]:
    """A study for the page: its table with the best trials first, and where it stands as a sentence."""
    best = table.best_trial
    values = table.to_dict()
    trials = [trial for trial in values["trials"] if trial["number"] in {each.number for each in _shown(table)}]
    order = {trial.number: place for place, trial in enumerate(_shown(table))}
    values["trials"] = sorted(trials, key=lambda trial: order[trial["number"]])
    ended = sum(table.count(state) for state in ("finished", "pruned", "failed"))
    return {**values, "ended": ended, "best_run": best.run_id if best else None, "sentence": sentence(table)}


def _shown(table: Table) -> list[Any]:
    return ranked(table)[:MOST_TRIALS]
