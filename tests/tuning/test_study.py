"""Studies with real processes: a driver, its supervisor and toy workers; killed, stopped, gone on with."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import psutil
import pytest

from lepton_lab.errors import RunError
from lepton_lab.runs import Store, list_runs
from lepton_lab.runs.process import alive, read_identity
from lepton_lab.session import Host, Session
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec, TuneSpec
from lepton_lab.tuning import engine, record
from lepton_lab.tuning.record import Asked
from tests.processes import end_processes_of
from tests.waiting import wait_until

SEARCH = "learning_rate=1e-4..0.3"


@pytest.fixture
def store(tmp_path, monkeypatch):
    here = Path(__file__).parent
    folders = [str(here), str(here.parent / "runs"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("LEPTON_WORKER_MODULE", "tuned_worker")
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))
    store = Store(tmp_path / "store").prepare()
    yield store
    end_processes_of(store.root)


def begin(store, *, step_seconds=0.002, rates=SEARCH, epochs=4, **options):
    toy = {"steps_per_epoch": 3, "step_seconds": step_seconds}
    model = ModelSpec(name="toy", source="pass", class_name="Toy", options=toy)
    run = RunSpec(data=DataSpec(name="toys"), model=model, train=TrainSpec(epochs=epochs, max_restarts=0))
    tune = TuneSpec.parse({"search": rates, **options})
    return record.request(store, tune, run, task="classification", optimizer="adamw")


def ended(store, name):
    def look():
        table = record.read_table(record.find_study(store, name))
        return table if table.state not in record.ACTIVE else None

    return wait_until(look, f"the study {name} to end", 120)


def driver_of(store, name):
    def look():
        process = read_identity(record.find_study(store, name) / "process.json")
        return process if alive(process) else None

    return wait_until(look, "a driver", 60)


def test_a_study_finds_the_rate_gives_up_what_falls_behind_and_its_trials_are_runs(store):
    table = ended(store, begin(store, trials=12, step_seconds=0.08))
    assert table.state == "finished"
    assert len(table.trials) == 12
    assert table.count("pruned") > 0
    assert table.count("finished") + table.count("pruned") == 12
    best = table.best_trial
    assert best.value == max(trial.value for trial in table.trials if trial.state == "finished")
    assert 0.002 < best.values["learning_rate"] < 0.05
    runs = {run.run_id: run for run in list_runs(store)}
    assert set(runs) == {trial.run_id for trial in table.trials}
    assert all(run.tags == [table.study] for run in runs.values())
    assert runs[best.run_id].best_val_metric == best.value
    pruned = next(trial for trial in table.trials if trial.state == "pruned")
    assert runs[pruned.run_id].state == "stopped"


def test_a_driver_that_is_killed_is_followed_by_one_that_goes_on_and_counts_nothing_twice(store):
    name = begin(store, trials=8, prune="none", step_seconds=0.02)
    killed = 0
    while killed < 3:
        process = driver_of(store, name)
        wait_until(lambda before=killed: len(list_runs(store)) > 2 * before, "more trials", 60)
        psutil.Process(process["pid"]).kill()
        psutil.Process(process["pid"]).wait(10)
        killed += 1
    table = ended(store, name)
    assert table.state == "finished"
    assert [trial.number for trial in table.trials] == list(range(8))
    assert len({trial.run_id for trial in table.trials}) == 8
    assert len(list_runs(store)) == 8
    assert table.count("finished") == 8
    rates = [trial.values["learning_rate"] for trial in table.trials]
    assert len(set(rates)) == 8  # the search did not begin anew


def test_a_stopped_study_stops_its_trials_and_can_go_on(store):
    name = begin(store, trials=3, prune="none", step_seconds=0.2, study="mine")
    wait_until(lambda: any(run.state == "running" for run in list_runs(store)), "a trial at work", 60)
    record.stop(store, name)
    assert ended(store, name).state == "stopped"
    wait_until(lambda: all(run.state == "stopped" for run in list_runs(store)), "its runs to stop", 60)
    with pytest.raises(RunError, match="has stopped already"):
        record.stop(store, name)
    with pytest.raises(RunError, match="with other search; choose another name"):
        begin(store, trials=3, prune="none", step_seconds=0.2, study="mine", rates="learning_rate=1e-3..1e-2")
    begun = len(list_runs(store))
    assert begin(store, trials=begun + 1, prune="none", step_seconds=0.2, study="mine") == "mine"
    table = ended(store, name)
    assert table.state == "finished"
    assert len(table.trials) == begun + 1


def test_a_study_whose_first_trials_all_fail_says_why_and_ends(store):
    table = ended(store, begin(store, trials=20, rates="learning_rate=0.6,0.7,0.8,0.9"))
    assert table.state == "failed"
    assert "trials all failed" in table.message
    assert len(table.trials) < 10


def test_a_session_hands_out_the_best_run(store):
    name = begin(store, trials=3, study="small")
    session = Session(store, Host())
    study = session.study()
    assert study.name == name == "small"
    study.wait(120)
    assert study.best.id in {trial.run_id for trial in study.trials}
    assert set(study.best_options) == {"learning_rate"}
    assert "best validation accuracy" in str(study)
    assert len(session.studies()) == 1


def test_a_lock_that_a_killed_driver_left_on_the_journal_holds_nobody_up(tmp_path):
    """Optuna's own lock is a link that stays when its holder is killed; the next driver waited for it, minutes long."""
    run = RunSpec(data=DataSpec(name="digits"), model=ModelSpec(name="cnn"), train=TrainSpec(epochs=4))
    asked = Asked(TuneSpec.parse({"search": SEARCH}), run, "val_accuracy", higher_is_better=True, created=0.0)
    journal = tmp_path / record.JOURNAL_FILE
    engine.open_study(tmp_path, asked)
    journal.with_name(journal.name + ".lock").symlink_to(journal)

    opening = threading.Thread(target=engine.open_study, args=(tmp_path, asked), daemon=True)
    opening.start()
    opening.join(20)

    assert not opening.is_alive()
