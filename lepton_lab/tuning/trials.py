"""One trial of a study as an ordinary run: submitted once, followed, given up, told to Optuna."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from lepton_lab.errors import LeptonError, RunError, StoreError
from lepton_lab.runs.control import send_command
from lepton_lab.runs.events import EventTail
from lepton_lab.runs.labels import tag_run
from lepton_lab.runs.lines import epochs_of
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, submit
from lepton_lab.runs.states import ENDED, RunState
from lepton_lab.runs.summary import Fold
from lepton_lab.specs.search import apply
from lepton_lab.tuning import engine
from lepton_lab.tuning.record import Asked

if TYPE_CHECKING:
    import optuna

BY = "tune"


class TrialRun:
    """A trial and its run. Making one submits the run, unless an earlier driver has done so.

    Args:
        store: The store.
        study: The study's name.
        asked: What the study was asked for.
        trial: Optuna's trial, at work.
    """

    def __init__(self, store: Store, study: str, asked: Asked, trial: optuna.Trial) -> None:
        self._store, self._study, self._asked, self._trial = store, study, asked, trial
        self.message = ""
        self._was_given_up = False
        self._reported = set(trial.study.trials[trial.number].intermediate_values)
        self._best: float | None = None
        self.run_id = self._submit()
        self._tail, self._fold = EventTail(store.run_dir(self.run_id)), Fold(self.run_id)

    @property
    def has_ended(self) -> bool:
        """Whether the run has come to an end, or is no longer there."""
        return self._fold.state in ENDED or not self._store.run_dir(self.run_id).is_dir()

    @property
    def has_place(self) -> bool:
        """Whether the run is at work where it trains, and does not only wait or begin."""
        return self._fold.state in (RunState.running, RunState.paused, RunState.stopping)

    def look(self) -> bool:
        """Reads what the run has measured, and gives it up where others did better; returns whether there is news."""
        news = False
        try:
            events = self._tail.read()
        except StoreError as error:
            self.message = str(error)
            return False
        for event in events:
            self._fold.apply(event)
            self.message = str(event.get("message") or self.message)
            for epoch in epochs_of(event) if event["type"] == "EpochEnded" else ():
                news |= self._report(round(float(epoch.get("epoch", 0))), epoch.get(self._asked.figure))
        if news and not self._was_given_up and self._fold.state not in ENDED and self._trial.should_prune():
            self._was_given_up = True
            self.stop()
        return news

    def stop(self) -> None:
        """Has the run stopped at its next step."""
        with contextlib.suppress(RunError, StoreError):  # it has just ended by itself
            send_command(self._store.run_dir(self.run_id), "stop", by=BY)

    def tell(self, study: optuna.Study) -> None:
        """Tells Optuna what became of the trial."""
        state = engine.load_optuna().trial.TrialState
        if self._fold.state is RunState.finished and self._best is not None:
            study.tell(self._trial, self._best)
        elif self._fold.state in (RunState.failed, RunState.queued) or self._best is None:
            study.tell(self._trial, state=state.FAIL)
        else:
            study.tell(self._trial, state=state.PRUNED)

    def _submit(self) -> str:
        """The name of the run; the trial is known by it, so that it is never submitted twice."""
        known = self._trial.user_attrs.get(engine.RUN_ID)
        if known:
            return str(known)
        name, owner = f"{self._study[:54]}-t{self._trial.number:03d}", f"tune:{self._study}"
        if not self._is_ours(name, owner):
            spec = apply(self._asked.run, engine.plain(self._trial.params))
            name = submit(self._store, spec, name=name, owner=owner).run_id
        with contextlib.suppress(RunError, StoreError):
            tag_run(self._store.run_dir(name), [self._study[:40]], by=BY)
        self._trial.set_user_attr(engine.RUN_ID, name)
        return name

    def _is_ours(self, name: str, owner: str) -> bool:
        """Whether the run is there: a driver may have died after it was submitted and before it was noted."""
        try:
            first = next(iter(RunRecord(self._store, name).events()), {})
        except LeptonError:
            return False
        return first.get("owner") == owner

    def _report(self, epoch: int, value: float | None) -> bool:
        if value is None or not math.isfinite(value):
            return False
        better = max if self._asked.higher_is_better else min
        self._best = value if self._best is None else better(self._best, value)
        if epoch in self._reported:  # a run that goes on from a checkpoint tells an epoch again
            return False
        self._reported.add(epoch)
        self._trial.report(value, epoch)
        return True
