"""The process that drives one study: `python -m lepton_lab.tuning.driver --store PATH --name STUDY`.

It begins trials while there is room, reads what they measure, gives up those that fall behind and keeps the table.
The supervisor starts it, and starts it again when it dies: all that it knows lies in Optuna's journal and in the
runs, so a new driver goes on where the old one was and counts no trial twice.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import LeptonError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.devices import device_slots, slot_kind
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import identity
from lepton_lab.runs.servers import PROCESS_FILE
from lepton_lab.specs.search import dimensions
from lepton_lab.tuning import engine, record
from lepton_lab.tuning.record import Table, Trial
from lepton_lab.tuning.room import Room
from lepton_lab.tuning.trials import TrialRun

if TYPE_CHECKING:
    import optuna

LOOK_SECONDS = 0.25
_SUPERVISOR_SECONDS = 2.0
_FAILED_AT_FIRST = 3
"""A study whose first trials have all failed is not worth going on with."""


class Driver:
    """Drives one study to its end.

    Args:
        store: The store.
        name: The study.
        over: Set when the process is asked to leave.
    """

    def __init__(self, store: Store, name: str, over: threading.Event) -> None:
        self._store, self._over = store, over
        self._folder = record.find_study(store, name)
        self._asked = record.read_asked(self._folder)
        self._study = engine.open_study(self._folder, self._asked)
        self._space = engine.distributions(dimensions(self._asked.tune.search))
        self._at_work: list[TrialRun] = []
        self._room = self._room_on_cluster()
        self._began = time.monotonic()
        self._importances: dict[str, float] = {}

    def drive(self) -> None:
        """Works until enough trials have ended, the study is stopped, or the process is asked to leave."""
        self._take_up()
        self._write("running")
        supervised_at = time.monotonic()
        while not self._over.is_set():
            if record.desired(self._folder) != "running":
                self._end("stopped")
                return
            changed = self._look() | self._begin_more()
            if changed:
                self._write("running")
            if not self._at_work and not self._may_begin():
                self._end("finished")
                return
            if time.monotonic() - supervised_at > _SUPERVISOR_SECONDS:
                ensure_supervisor(self._store)
                supervised_at = time.monotonic()
            self._over.wait(LOOK_SECONDS)
        if record.desired(self._folder) != "running":  # who is sent away because of that stops the trials first
            self._end("stopped")

    def _take_up(self) -> None:
        """Finds the runs of the trials that an earlier driver has begun; one without a run gets it now."""
        for frozen in self._trials():
            if frozen.state.name == "RUNNING":
                trial = engine.trial_at_work(self._study, frozen.number)
                self._at_work.append(TrialRun(self._store, self._folder.name, self._asked, trial))

    def _begin_more(self) -> bool:
        began = False
        while len(self._at_work) < self._parallel() and self._may_begin():
            trial = self._study.ask(self._space)
            self._at_work.append(TrialRun(self._store, self._folder.name, self._asked, trial))
            began = True
        return began

    def _room_on_cluster(self) -> Room | None:
        train = self._asked.run.train
        return None if train.cluster is None or self._asked.tune.parallel is not None else Room(train)

    def _parallel(self) -> int:
        if self._asked.tune.parallel is not None:
            return self._asked.tune.parallel
        if self._room is not None:
            return self._room.parallel(sum(each.has_place for each in self._at_work))
        slots = device_slots()
        kind = slot_kind(self._asked.run.train.device, slots)
        return max(1, sum(slot.startswith(kind) for slot in slots))

    def _may_begin(self) -> bool:
        trials = self._trials()
        minutes = self._asked.tune.minutes
        in_time = minutes is None or time.monotonic() - self._began < 60 * minutes
        return len(trials) < self._asked.tune.trials and in_time

    def _look(self) -> bool:
        """Reads what the trials at work have measured; returns whether anything is new."""
        changed = False
        for at_work in list(self._at_work):
            changed |= at_work.look()
            if at_work.has_ended:
                self._settle(at_work)
                changed = True
        return changed

    def _settle(self, at_work: TrialRun) -> None:
        self._at_work.remove(at_work)
        at_work.tell(self._study)
        self._importances = engine.importances(self._study)
        states = [each.state.name for each in self._trials() if each.state.name != "RUNNING"]
        if len(states) >= _FAILED_AT_FIRST and set(states) == {"FAIL"}:
            raise LeptonError(f"The first {len(states)} trials all failed. The last one said: {at_work.message}")

    def _end(self, state: record.State, message: str | None = None) -> None:
        for at_work in self._at_work:
            at_work.stop()
            at_work.tell(self._study)
        self._at_work.clear()
        self._write(state, message)
        record.want(self._folder, state)

    def fail(self, message: str) -> None:
        """Ends the study because of something that another try would not mend."""
        self._end("failed", message)

    def _trials(self) -> list[optuna.trial.FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _write(self, state: record.State, message: str | None = None) -> None:
        done = [each for each in self._trials() if each.state.name == "COMPLETE"]
        table = Table(
            study=self._folder.name,
            state=state,
            figure=self._asked.figure,
            higher_is_better=self._asked.higher_is_better,
            wanted=self._asked.tune.trials,
            trials=[_row(each, self._asked.higher_is_better) for each in self._trials()],
            best=self._study.best_trial.number if done else None,
            importances=self._importances,
            seconds=round(time.time() - self._asked.created, 1),
            message=message,
        )
        record.write_table(self._folder, table)


_STATES = {"RUNNING": "running", "COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "WAITING": "running"}


def _row(trial: optuna.trial.FrozenTrial, higher_is_better: bool) -> Trial:
    values = list(trial.intermediate_values.values())
    best = (max if higher_is_better else min)(values) if values else trial.value
    return Trial(
        trial.number,
        str(trial.user_attrs.get(engine.RUN_ID, "")),
        _STATES[trial.state.name],
        engine.plain(trial.params),
        best if trial.state.name != "COMPLETE" else trial.value,
        max(trial.intermediate_values, default=0),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns 0 when the study has come to an end that it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.tuning.driver", description="Drives one study.")
    parser.add_argument("--store", required=True, type=Path, help="folder of the run store")
    parser.add_argument("--name", required=True, help="the study")
    options = parser.parse_args(arguments)
    store, over = Store(options.store), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    folder = record.find_study(store, options.name)
    with FileLock(folder / "driver.lock") as lock:
        if not lock.acquire():
            return 0
        write_json(folder / PROCESS_FILE, dict(identity() or {}), durable=False)
        return _drive(store, options.name, folder, over)


def _drive(store: Store, name: str, folder: Path, over: threading.Event) -> int:
    driver: Any = None
    try:
        driver = Driver(store, name, over)
        driver.drive()
    except LeptonError as error:
        print(error, file=sys.stderr)
        if driver is not None:
            driver.fail(str(error))
        else:
            record.write_table(folder, Table(name, "failed", message=str(error)))
            record.want(folder, "failed")
        return 1
    except Exception:
        traceback.print_exc()  # the supervisor starts another driver after a while
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
