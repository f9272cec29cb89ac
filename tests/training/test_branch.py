"""Runs that go on from another run's checkpoint, trained by the real worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from safetensors.numpy import load_file

from lepton_lab import worker
from lepton_lab.errors import RunError, SpecError
from lepton_lab.runs import branch, list_runs
from lepton_lab.runs.branch import checkpoint_steps, continue_run, fork_run, lineage
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.runs.compare import compare_runs
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from tests.processes import end_processes_of
from tests.training.test_worker import CNN, announce, of, pictures, start


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunRecord]:
    """A finished run of two epochs, which no test changes; what is queued after it waits for the test to work on it."""
    store = Store(tmp_path_factory.mktemp("store")).prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(branch, "enqueue", lambda record, spec: None)
        patch.setattr("lepton_lab.worker.seated.export", lambda *arguments: None)  # its bundle is of no interest here
        record = start(store, pictures(store), CNN, epochs=2, batch_size=32, checkpoint_every_seconds=0.05)
        assert worker.work(store, record.run_id) == 0
        yield record
    end_processes_of(store.root)


def work_on(child: RunRecord) -> RunRecord:
    announce(child)
    assert worker.work(child.store, child.run_id) == 0
    return child


def test_a_continued_run_has_the_whole_curve_and_says_where_it_comes_from(parent: RunRecord) -> None:
    last = latest_checkpoint(parent.dir)
    assert last is not None
    child = work_on(continue_run(parent.store, parent.run_id, 2, by="panel"))
    summary = child.summary()
    assert (summary.state, summary.epochs, summary.epoch) == ("finished", 4, 4.0)
    assert summary.parent is not None
    assert (summary.parent["run_id"], summary.parent["kind"]) == (parent.run_id, "continued")
    assert summary.parent["changed"] == {"train.epochs": [2, 4]}
    assert of(child, "RunStarted")[0]["from_step"] == last[0]
    ours, theirs = child.curve().series, parent.curve().series
    for name in ("train_loss", "val_accuracy"):
        count = len(theirs[name])
        assert list(ours[name].steps[:count]) == list(theirs[name].steps)
        assert list(ours[name].y[:count]) == list(theirs[name].y)
        assert len(ours[name]) > count
    assert [each["epoch"] for each in of(child, "EpochEnded")] == [1, 2, 3, 4]
    assert summary.best_val_accuracy is not None and parent.summary().best_val_accuracy is not None
    assert summary.best_val_accuracy >= parent.summary().best_val_accuracy
    assert lineage(child.store, child.run_id)[0]["exists"]
    assert parent.summary().epochs == 2  # the old record stays as it was


def test_a_fork_without_a_change_ends_with_the_same_bits(parent: RunRecord) -> None:
    step = checkpoint_steps(parent.store, parent.run_id)[0]
    child = work_on(fork_run(parent.store, parent.run_id, step=step, by="cli", name="again"))
    assert child.run_id == "again"
    for name in ("model", "optimizer", "best"):
        ours, theirs = (latest_checkpoint(each.dir) for each in (child, parent))
        assert ours is not None and theirs is not None and ours[0] == theirs[0]
        file = f"{name}.safetensors"
        assert (ours[1] / file).read_bytes() == (theirs[1] / file).read_bytes()


@pytest.mark.parametrize(
    ("train", "kept", "from_zero"),
    [({"optimizer": "sgd", "epochs": 3}, "everything", False), ({"batch_size": 16, "epochs": 1}, "weights", True)],
)
def test_a_fork_keeps_what_still_holds(parent: RunRecord, train: dict[str, object], kept: str, from_zero: bool) -> None:
    child = fork_run(parent.store, parent.run_id, by="panel", train=train)
    assert child.summary().parent is not None and child.summary().parent["kept"] == kept
    found, last = latest_checkpoint(child.dir), latest_checkpoint(parent.dir)
    assert found is not None and last is not None
    ours, theirs = load_file(found[1] / "model.safetensors"), load_file(last[1] / "model.safetensors")
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    work_on(child)
    assert child.summary().state == "finished"
    assert (of(child, "RunStarted")[0]["from_step"] == 0) == from_zero


def test_options_that_cannot_be_are_refused_before_a_run_is_made(parent: RunRecord) -> None:
    before = len(list_runs(parent.store))
    for options, error in (
        ({"train": {"learning_rate": -1}}, SpecError),
        ({"train": {"speed": 3}}, SpecError),
        ({"step": 70_000}, RunError),
    ):
        with pytest.raises(error):
            fork_run(parent.store, parent.run_id, by="cli", **options)
    with pytest.raises(RunError, match="at least 1"):
        continue_run(parent.store, parent.run_id, 0, by="cli")
    assert len(list_runs(parent.store)) == before


def test_another_shape_of_the_network_is_a_model_error_in_a_sentence(parent: RunRecord) -> None:
    child = fork_run(parent.store, parent.run_id, by="cli", model_options={"channels": 16})
    announce(child)
    assert worker.work(child.store, child.run_id) == 1
    summary = child.summary()
    assert summary.reason == "model_error"
    assert summary.message is not None and "do not fit this network" in summary.message


def test_a_comparison_names_the_options_in_which_the_runs_differ(parent: RunRecord) -> None:
    child = fork_run(parent.store, parent.run_id, by="cli", train={"learning_rate": 0.002})
    table = compare_runs(parent.store, [parent.run_id, child.run_id])
    assert table.differing() == ["train.learning_rate"]
    chosen = of(parent, "RunStarted")[0]["learning_rate"]
    assert table.rows[0]["train.learning_rate"] == chosen  # what the product chose, not "left to the product"
    assert set(table.curves["val_accuracy"]) == {parent.run_id, child.run_id}
