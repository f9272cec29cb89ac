"""What a study leaves in the store, readable by every face without Optuna.

```
<root>/studies/<name>/
  spec.json      what was asked: the search, and the run that every trial changes
  record.json    whether it is to be driven; the supervisor keeps a driver for one that is
  journal.log    Optuna's own storage
  table.json     how far it is, and the trials; written by the driver alone
  tune.log       what the driver said
```
"""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lepton_lab.errors import RunError, StoreError, UnknownName
from lepton_lab.runs.atomic import read_json, store_error, write_json
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store, check_name
from lepton_lab.runs.people import current_user
from lepton_lab.runs.record import slug
from lepton_lab.specs import TASKS, RunSpec, TuneSpec
from lepton_lab.specs.search import dimensions, require_known

SPEC_FILE, RECORD_FILE, TABLE_FILE, JOURNAL_FILE = "spec.json", "record.json", "table.json", "journal.log"
State = Literal["starting", "running", "finished", "stopped", "failed"]
ACTIVE = ("starting", "running")


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        number: From 0, in the order they began.
        run_id: Its run.
        state: "running", "finished", "pruned" (given up because others did better) or "failed".
        values: The options that were tried.
        value: The best figure on the validation part so far; None before the first epoch has ended.
        epoch: Epochs that have been judged.
    """

    number: int
    run_id: str
    state: str
    values: dict[str, Any]
    value: float | None = None
    epoch: int = 0


@dataclass
class Table:
    """How far a study is.

    Attributes:
        study: Its name.
        state: "starting", "running", "finished", "stopped" or "failed".
        figure: What trials are judged by ("val_accuracy", "val_loss").
        higher_is_better: Whether a greater figure is the better one.
        wanted: Trials that were asked for.
        trials: In the order of their numbers.
        best: Number of the best trial.
        importances: Share of each option in how much the figure moves, in the order of importance.
        seconds: Since the study began; time without a driver counts too.
        message: Why it failed.
    """

    study: str
    state: State = "starting"
    figure: str = "val_accuracy"
    higher_is_better: bool = True
    wanted: int = 0
    trials: list[Trial] = field(default_factory=list)
    best: int | None = None
    importances: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    message: str | None = None

    @property
    def best_trial(self) -> Trial | None:
        """The best trial so far."""
        return next((trial for trial in self.trials if trial.number == self.best), None)

    def count(self, state: str) -> int:
        """How many trials are in a state."""
        return sum(trial.state == state for trial in self.trials)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Asked:
    """What a study was asked for."""

    tune: TuneSpec
    run: RunSpec
    figure: str
    higher_is_better: bool
    created: float


def study_dir(store: Store, name: str) -> Path:
    """The folder of a study, whether it exists or not."""
    return store.studies_dir / check_name("study", name)


def study_names(store: Store) -> list[str]:
    """The names of all studies, the newest first."""
    try:
        with os.scandir(store.studies_dir) as entries:
            found = [(entry.stat().st_ctime, entry.name) for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    return [name for _, name in sorted(found, reverse=True)]


def find_study(store: Store, name: str) -> Path:
    """The folder of a study that exists.

    Raises:
        UnknownName: If there is none of that name.
    """
    if not (study_dir(store, name) / SPEC_FILE).exists():
        raise UnknownName("study", name, study_names(store))
    return study_dir(store, name)


def request(store: Store, tune: TuneSpec, run: RunSpec, *, task: str, optimizer: str) -> str:
    """Begins a study, or lets one that is there go on with as many trials as are asked for now.

    Args:
        store: The store.
        tune: The search.
        run: What every trial changes.
        task: The dataset's task.
        optimizer: Whose learning rates an open search looks through.

    Returns:
        The study's name.

    Raises:
        UnknownName: If the network has no such option.
        RunError: If a study of that name searches something else.
        StoreError: If the disk does not take it.
    """
    space = dimensions(tune.search, optimizer)
    require_known(space, run)
    tune = tune.changed(search=" ".join(str(each) for each in space))
    name = tune.study or _free_name(store, f"{slug(run.data.name)}-{slug(run.model.name)}")
    folder = study_dir(store, name)
    figure, higher = _figure(tune, task)
    try:
        if (folder / SPEC_FILE).exists():
            _require_same(read_asked(folder), tune, run, name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = read_asked(folder).created if (folder / SPEC_FILE).exists() else time.time()
        values = {"tune": tune.model_dump(mode="json"), "run": run.model_dump(mode="json"), "created": before}
        write_json(folder / SPEC_FILE, {**values, "figure": figure, "higher_is_better": higher})
        if not (folder / TABLE_FILE).exists():
            write_json(folder / TABLE_FILE, Table(name, "starting", figure, higher, tune.trials).to_dict())
        want(folder, "running")
    except OSError as error:
        raise store_error(error, folder) from error
    ensure_supervisor(store, warm=True)  # trials follow each other, and each is to start at once
    return name


def want(folder: Path, desired: str) -> None:
    """Says whether a study is to be driven: "running", or what it has come to ("stopped", "finished", "failed")."""
    write_json(folder / RECORD_FILE, {"desired": desired, "by": current_user(), "time": time.time()})


def desired(folder: Path) -> str:
    """What is wanted of a study."""
    return str(read_json(folder / RECORD_FILE)["desired"])


def read_asked(folder: Path) -> Asked:
    """What a study was asked for.

    Raises:
        StoreError: If it cannot be read.
    """
    values = read_json(folder / SPEC_FILE)
    try:
        tune, run = TuneSpec.parse(values["tune"]), RunSpec.parse(values["run"])
        return Asked(tune, run, str(values["figure"]), bool(values["higher_is_better"]), float(values["created"]))
    except (KeyError, TypeError) as error:
        raise StoreError(f"spec.json of the study {folder.name!r} is broken ({error}); begin a new study.") from error


def write_table(folder: Path, table: Table) -> None:
    """Replaces the table."""
    write_json(folder / TABLE_FILE, table.to_dict(), durable=table.state not in ACTIVE)


def read_table(folder: Path) -> Table:
    """The table as it stands; a study that somebody has stopped, and whose driver has not seen it yet, says so.

    Raises:
        StoreError: If it cannot be read.
    """
    values = read_json(folder / TABLE_FILE)
    try:
        table = Table(**{**values, "trials": [Trial(**each) for each in values["trials"]]})
    except (KeyError, TypeError) as error:
        raise StoreError(f"table.json of the study {folder.name!r} is broken ({error}).") from error
    if table.state not in ACTIVE and desired(folder) == "running":
        table.state = "starting"  # it was asked to go on, and its driver is on the way
    return table


def stop(store: Store, name: str) -> None:
    """Ends a study; its trials at work are stopped, and what has been found stays.

    Raises:
        UnknownName: If there is no such study.
        RunError: If it has ended.
    """
    folder = find_study(store, name)
    if desired(folder) != "running":
        raise RunError(f"The study {name!r} has {desired(folder)} already.")
    want(folder, "stopped")
    ensure_supervisor(store)


def _require_same(before: Asked, tune: TuneSpec, run: RunSpec, name: str) -> None:
    now, then = tune.model_dump(), before.tune.model_dump()
    changed = [key for key in ("search", "objective") if now[key] != then[key]]
    same_run = run.model_dump(mode="json") == before.run.model_dump(mode="json")
    if changed or not same_run:
        what = changed[0] if changed else "data, network or training options"
        raise RunError(f"The study {name!r} is there already, with other {what}; choose another name for this one.")


def _figure(tune: TuneSpec, task: str) -> tuple[str, bool]:
    """What trials are judged by, and whether more of it is better."""
    if tune.objective == "loss":
        return "val_loss", False
    return f"val_{TASKS[task].metric}", TASKS[task].higher_is_better


def _free_name(store: Store, stem: str) -> str:
    taken = set(study_names(store))
    return next(f"{stem}-{n}" for n in range(1, len(taken) + 2) if f"{stem}-{n}" not in taken)
