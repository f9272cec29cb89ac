"""A finished run is proved by training again from a checkpoint, and one that was tampered with is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_lab import worker
from lepton_lab.errors import RunError
from lepton_lab.runs.checkpoints import all_steps, latest_checkpoint, new_checkpoint
from lepton_lab.runs.control import send_command
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord, create_run
from lepton_lab.runs.verification import verify_run
from lepton_lab.training.checkpoints import read, write
from lepton_lab.training.replay import replay
from tests.processes import end_processes_of
from tests.training.test_worker import CNN, of, pictures, start


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunRecord]:
    """A finished run with a change of the learning rate on its way, which no test changes."""
    store = Store(tmp_path_factory.mktemp("store")).prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lepton_lab.worker.seated.export", lambda *arguments: None)  # its bundle is of no interest here
        record = start(store, pictures(store), CNN, epochs=3, batch_size=32, checkpoint_every_seconds=0.05)
        send_command(record.dir, "set_learning_rate", 0.003, by="test")
        assert worker.work(store, record.run_id) == 0
    yield record
    end_processes_of(store.root)


@pytest.fixture
def copied(finished: RunRecord, tmp_path: Path) -> RunRecord:
    """A copy that may be changed."""
    shutil.copytree(finished.store.root, tmp_path / "copy", ignore=shutil.ignore_patterns("supervisor"))
    return RunRecord(Store(tmp_path / "copy"), finished.run_id)


def test_a_finished_run_is_replayed_to_the_bit_in_a_process_of_its_own(copied: RunRecord) -> None:
    found = verify_run(copied.store, copied.run_id, by="cli")
    assert found.equal and found.differing == [] and found.num_tensors > 10
    assert found.from_step < found.to_step == all_steps(copied.dir)[-1]
    assert "bit-equal" in str(found)
    event = of(copied, "RunVerified")[0]
    assert (event["equal"], event["by"], event["from_step"]) == (True, "cli", found.from_step)
    assert copied.summary().verified is True and copied.summary().state == "finished"


def test_weights_that_were_exchanged_are_found(copied: RunRecord) -> None:
    last = latest_checkpoint(copied.dir)
    assert last is not None
    saved = read(last[1])
    name = next(name for name, tensor in saved.model.items() if tensor.is_floating_point())
    saved.model[name].view(-1)[0] += 1e-6
    with new_checkpoint(copied.dir, last[0], keep=9) as folder:  # sealed anew: its hashes are right
        parts = {"model": saved.model, "optimizer": saved.optimizer, "best": saved.best, "average": saved.average}
        write(folder, **parts, state=saved.state)
    found = replay(copied)
    assert not found["equal"]
    assert found["differing"] == [f"model.safetensors: {name}"]
    assert 0 < found["largest_difference"] < 1e-5


def test_a_run_that_cannot_be_replayed_says_why(copied: RunRecord) -> None:
    for step in all_steps(copied.dir)[:-1]:
        shutil.rmtree(copied.dir / "checkpoints" / f"{step:010d}")
    with pytest.raises(RunError, match="no intact checkpoint before its last one"):
        replay(copied)


def test_a_replay_does_not_begin_before_the_clock_chose_how_to_compute(copied: RunRecord) -> None:
    before, last = all_steps(copied.dir)[-2:]
    with EventLog.open_writer(copied.dir) as writer:
        writer.append("StepCompiled", step=before, is_kept=True, seconds=9.0, step_ms=[2.0, 1.0])
    assert replay(copied)["from_step"] == before
    with EventLog.open_writer(copied.dir) as writer:
        writer.append("StepCompiled", step=last - 1, is_kept=True, seconds=9.0, step_ms=[2.0, 1.0])
    with pytest.raises(RunError, match="no intact checkpoint before its last one"):
        replay(copied)


def test_only_a_finished_run_is_verified(finished: RunRecord) -> None:
    record = create_run(finished.store, finished.spec())
    with EventLog.open_writer(record.dir) as writer:
        writer.append("RunStopped", step=0, epoch=0.0)
    with pytest.raises(RunError, match="verify needs a run that is finished"):
        verify_run(finished.store, record.run_id, by="cli")
