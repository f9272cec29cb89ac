"""A study as a person holds it: a view of its table on disk, its best trial, and the way to go on with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import clauses, count, metric, score, seconds, state_word, table
from lepton_lab.session.waiting import wait_for
from lepton_lab.words import N_, _, heads

if TYPE_CHECKING:
    from lepton_lab.session.endpoint import Endpoint
    from lepton_lab.session.run import Run
    from lepton_lab.session.tuning import TuneCalls
    from lepton_lab.tuning.record import Table, Trial

MARKS = {"running": N_("at work"), "finished": N_("finished"), "pruned": N_("given up"), "failed": N_("failed")}
_PARTS = {"val": N_("validation"), "test": N_("test"), "train": N_("training")}


class Study(Shown):
    """A search for good options. Made by `tune()`; driven by a process of its own, its trials are ordinary runs."""

    def __init__(self, name: str, session: TuneCalls) -> None:
        self.name, self._session = name, session

    @property
    def table(self) -> Table:
        """The study as it stands now, read from its record.

        Raises:
            UnknownName: If there is no such study.
        """
        from lepton_lab.tuning.record import find_study, read_table

        return read_table(find_study(self._session.store, self.name))

    @property
    def state(self) -> str:
        """starting, running, finished, stopped or failed."""
        return self.table.state

    @property
    def trials(self) -> list[Trial]:
        """The trials, in the order they began."""
        return self.table.trials

    @property
    def best(self) -> Run:
        """The run of the best trial; evaluate or deploy it like any other.

        Raises:
            RunError: If no trial has finished yet.
        """
        return self._session.run(self._best_trial().run_id)

    @property
    def best_options(self) -> dict[str, Any]:
        """The options of the best trial, under the names of the search.

        Raises:
            RunError: If no trial has finished yet.
        """
        return dict(self._best_trial().values)

    def _best_trial(self) -> Trial:
        best = self.table.best_trial
        if best is None:
            raise RunError(f"No trial of the study {self.name} has finished yet; wait for one (study.wait()).")
        return best

    def wait(self, timeout: float | None = None, watch: Callable[[Table], None] | None = None) -> Study:
        """Waits until the study has ended; interrupting the wait leaves the study alone.

        Args:
            timeout: Seconds to wait at most.
            watch: Called with the table now and then.

        Raises:
            RunError: If the study failed, or has not ended in time.
        """
        found = wait_for(
            lambda: self.table,
            timeout,
            watch,
            lambda table, within: f"The study {self.name} has not ended within {within}: {sentence(table)}",
        )
        if found.state == "failed":
            raise RunError(f"The study {self.name} failed: {found.message}")
        return self

    def stop(self) -> Study:
        """Ends the study; its trials at work are stopped, and what has been found stays.

        Raises:
            RunError: If it has ended.
        """
        from lepton_lab.tuning.record import stop

        stop(self._session.store, self.name)
        return self

    def deploy(self, **options: Any) -> Endpoint:
        """Puts the best trial's network online; the options are those of `DeploySpec`."""
        return self.best.deploy(**options)

    def to_dict(self) -> dict[str, Any]:
        return self.table.to_dict()

    def __str__(self) -> str:
        found = self.table
        return "\n".join([sentence(found), trials_text(found)])


class StudyList(Shown):
    """The studies of the store, the newest first."""

    def __init__(self, studies: list[Study]) -> None:
        self.studies = studies

    def __len__(self) -> int:
        return len(self.studies)

    def __getitem__(self, index: int) -> Study:
        return self.studies[index]

    def to_dict(self) -> dict[str, Any]:
        return {"studies": [study.to_dict() for study in self.studies]}

    def __str__(self) -> str:
        if not self.studies:
            return _("There is no study yet; type %lepton tune.")
        return table(studies_head(), [study_cells(study.table) for study in self.studies])


def studies_head() -> tuple[str, ...]:
    """The columns of the table of studies."""
    return heads("study", "state", "trials", "best", "of")


def study_cells(found: Table) -> tuple[str, ...]:
    """A study as one row of texts, in the order of `studies_head`."""
    best = found.best_trial
    done = _(f"{len(found.trials)} of {found.wanted}")
    return (found.study, state_word(found.state), done, score(best.value) if best else "", best.run_id if best else "")


def sentence(found: Table) -> str:
    """Where a study stands, in one line."""
    if found.state == "failed":
        return _(f"{found.study} failed: {found.message}")
    ended = found.count("finished") + found.count("pruned") + found.count("failed")
    given_up = found.count("pruned")
    state = state_word(found.state)
    parts = [_(f"{found.study}: {state}, {count(ended)} of {count(found.wanted)} trials have ended")]
    if given_up:
        parts.append(_(f"{count(given_up)} of them given up early"))
    best = found.best_trial
    if best is not None:
        parts.append(_(f"best {figure_word(found)} {score(best.value)} by {best.run_id}"))
    took = seconds(found.seconds)
    return clauses(parts, took)


def figure_word(found: Table) -> str:
    """What the trials are judged by, as a person reads it."""
    part, _mark, name = found.figure.partition("_")
    return f"{_(_PARTS[part])} {metric(name)}" if part in _PARTS else found.figure.replace("_", " ")


def ranked(found: Table) -> list[Trial]:
    """The trials from the best to the worst: finished ones first, those without a figure last."""
    order = {"finished": 0, "running": 1, "pruned": 2, "failed": 3}
    sign = -1 if found.higher_is_better else 1
    return sorted(
        found.trials, key=lambda each: (order[each.state], each.value is None, sign * (each.value or 0.0), each.number)
    )


def trial_head(found: Table) -> tuple[str, ...]:
    """The columns of the table of trials."""
    return (_("trial"), "", figure_word(found), _("epochs"), *option_names(found), _("run"))


def option_names(found: Table) -> list[str]:
    """The options that are searched, the most important first."""
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.values))
    known = list(found.importances)
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known))


def trial_cells(found: Table, trial: Trial) -> tuple[str, ...]:
    """A trial as texts, in the order of `trial_head`."""
    values = [value_text(trial.values.get(name)) for name in option_names(found)]
    return (str(trial.number), MARKS[trial.state], score(trial.value), str(trial.epoch), *values, trial.run_id)


def value_text(value: Any) -> str:
    """An option's value, short enough for a column."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def trials_text(found: Table) -> str:
    """The trials as text, from the best to the worst."""
    return table(trial_head(found), [trial_cells(found, trial) for trial in ranked(found)]) if found.trials else ""
