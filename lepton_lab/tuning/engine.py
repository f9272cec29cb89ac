"""Optuna's side of a study: its journal on disk, what to try next, which trial to give up, which option matters."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import MissingExtra
from lepton_lab.specs.search import Dimension, Value
from lepton_lab.tuning.record import JOURNAL_FILE, Asked

if TYPE_CHECKING:
    import optuna

RUN_ID = "run_id"
"""The attribute under which a trial keeps its run's name."""
_FIRST_RANDOM = 10
_DEFAULT_EPOCHS = 20
_MIN_FOR_IMPORTANCE = 4


def load_optuna() -> Any:
    """The package.

    Raises:
        MissingExtra: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("optuna", "tune", "the search for options") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("optuna").propagate = True
    return optuna


def open_study(folder: Path, asked: Asked) -> optuna.Study:
    """The study as its journal tells it; a new one where there is no journal yet.

    The journal is a file of JSON lines, one an event, so that a crash costs at most its last line.
    """
    optuna = load_optuna()
    journal = optuna.storages.journal
    storage = journal.JournalStorage(journal.JournalFileBackend(str(folder / JOURNAL_FILE), lock_obj=_OneDriver()))
    study = optuna.create_study(
        storage=storage,
        study_name=folder.name,
        direction="maximize" if asked.higher_is_better else "minimize",
        load_if_exists=True,
        pruner=_pruner(optuna, asked),
    )
    # A sampler begins its random numbers anew; with the old seed it would try the first trials a second time.
    study.sampler = _sampler(optuna, asked, len(study.get_trials(deepcopy=False)))
    return study


class _OneDriver:
    """Optuna's lock on the journal. The driver's own lock does its work, and ends with a driver that is killed."""

    def acquire(self) -> bool:
        """The journal is ours."""
        return True

    def release(self) -> None:
        """Nothing is held."""


def _sampler(optuna: Any, asked: Asked, num_trials: int) -> Any:
    seed = (asked.tune.sampler_seed + 7919 * num_trials) % 2**32
    if asked.tune.method == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=_FIRST_RANDOM)


def _pruner(optuna: Any, asked: Asked) -> Any:
    if asked.tune.prune == "none":
        return optuna.pruners.NopPruner()
    if asked.tune.prune == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
    # Judged after a quarter and after half of the epochs, where the better half goes on: sooner, a schedule that warms
    # up has shown nothing, and of few trials a third is too few.
    first = max(1, round((asked.run.train.epochs or _DEFAULT_EPOCHS) / 4))
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=2)


def distributions(space: tuple[Dimension, ...]) -> dict[str, Any]:
    """What is searched, as Optuna says it."""
    optuna = load_optuna()
    return {each.name: _distribution(optuna.distributions, each) for each in space}


def _distribution(kinds: Any, each: Dimension) -> Any:
    if each.choices:
        return kinds.CategoricalDistribution(each.choices)
    if each.is_whole:
        return kinds.IntDistribution(int(each.low), int(each.high), log=each.is_log)
    return kinds.FloatDistribution(each.low, each.high, log=each.is_log)


def trial_at_work(study: optuna.Study, number: int) -> optuna.Trial:
    """A trial that another process has begun, in our hands."""
    optuna = load_optuna()
    frozen = next(each for each in study.get_trials(deepcopy=False) if each.number == number)
    return optuna.trial.Trial(study, frozen._trial_id)


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each option in how much the figure moves, the most important first; empty while trials are few.

    Source: functional ANOVA (Hutter, Hoos and Leyton-Brown, 2014), as Optuna computes it.
    """
    optuna = load_optuna()
    done = [each for each in study.get_trials(deepcopy=False) if each.state.name == "COMPLETE"]
    names = set.intersection(*(set(each.params) for each in done)) if done else set()
    if len(done) < _MIN_FOR_IMPORTANCE or len(names) < 2:
        return {}
    try:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=sorted(names))
    except (ValueError, RuntimeError):  # all figures are the same
        return {}
    return {name: round(float(share), 4) for name, share in found.items()}


def plain(values: dict[str, Any]) -> dict[str, Value]:
    """A trial's values as plain Python numbers and words."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
