"""Training from the first step to the last, as its events tell it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_lab.errors import DataError, ModelError, RunFailed
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.specs import ModelSpec
from lepton_lab.training import checkpoints
from lepton_lab.training.failures import as_run_failed
from lepton_lab.training.loop import Training
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import score
from tests.training.training_lab import SMALL_CNN, Recorder, Script, Ticks, record, spec, stripes

WIDE_CNN = ModelSpec(name="cnn", options={"channels": 16, "stages": 2})
EXPLODES = """
class Explodes(nn.Module):
    '''Learns until its output becomes nan after a number of steps.'''
    def __init__(self, input_shape, num_classes, fuse):
        super().__init__()
        self.head = nn.Linear(math.prod(input_shape), num_classes)
        self.fuse = fuse
        self.num_calls = 0
    def forward(self, x):
        scores = self.head(x.flatten(1))
        self.num_calls += self.training
        return scores * float("nan") if self.num_calls > self.fuse else scores
"""


def explodes(fuse: int) -> ModelSpec:
    return ModelSpec(name="explodes", source=EXPLODES, class_name="Explodes", options={"fuse": fuse})


def test_events_come_in_order_and_tell_a_viewer_all(tmp_path: Any) -> None:
    outcome, events = record(tmp_path / "run", spec())
    assert events.types()[:2] == ["RunStarted", "MetricsRecorded"]
    assert events.types()[-3:] == ["EpochEnded", "SamplesPredicted", "CheckpointSaved"]
    started = events.of("RunStarted")[0]
    assert (started["steps_per_epoch"], started["steps_total"], started["from_step"]) == (12, 36, 0)
    assert (started["train_rows"], started["val_rows"], started["device"]) == (96, 24, "cpu")
    assert started["choices"]["learning_rate"].startswith("0.005 because ")
    assert events.of("MetricsRecorded")[0]["series"]["train_accuracy"]["step"] == [1]
    epochs = events.of("EpochEnded")
    assert [(each["epoch"], each["step"]) for each in epochs] == [(1, 12), (2, 24), (3, 36)]
    samples = events.of("SamplesPredicted")[-1]["samples"]
    assert len(samples) == 8 and samples[1]["row"] == 1 and samples[1]["truth"] == "column"
    assert 0 < samples[0]["confidence"] <= 1
    assert outcome.state == "finished" and outcome.step == 36 and outcome.epoch == 3.0


def test_learns_and_ends_with_its_best_weights(tmp_path: Any) -> None:
    outcome, events = record(tmp_path / "run", spec(epochs=5), model=WIDE_CNN)
    best = max(each["val_accuracy"] for each in events.of("EpochEnded"))
    assert outcome.best_val_metric == best >= 0.95
    dataset = stripes()
    objective = objective_for(dataset.problem, dataset.target)
    assert score(outcome.module, place(dataset, "validation", torch.device("cpu")), objective).metric == best


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon"])
@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_every_optimizer_learns_with_its_own_defaults(tmp_path: Any, optimizer: str, schedule: str) -> None:
    outcome, _ = record(tmp_path / "run", spec(epochs=6, optimizer=optimizer, schedule=schedule), model=WIDE_CNN)
    assert outcome.best_val_metric is not None and outcome.best_val_metric >= 0.9


def test_label_smoothing_and_clipping_change_the_loss_and_the_way(tmp_path: Any) -> None:
    plain, _ = record(tmp_path / "plain", spec(epochs=1))
    for name, option in (("smooth", {"label_smoothing": 0.2}), ("clip", {"clip_norm": 0.01})):
        other, _ = record(tmp_path / name, spec(epochs=1, **option))
        weights = zip(plain.module.state_dict().values(), other.module.state_dict().values(), strict=True)
        assert not all(torch.equal(one, two) for one, two in weights)


def test_same_seed_same_weights_other_seed_other_weights(tmp_path: Any) -> None:
    first, again, other = (
        record(tmp_path / name, spec(seed=seed))[0].module.state_dict() for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_nan_loss_stops_at_its_step_and_keeps_the_last_finite_checkpoint(tmp_path: Any) -> None:
    events = Recorder()
    with pytest.raises(RunFailed, match=r"step 20 \(epoch 1\.7\).*learning rate below") as caught:
        record(
            tmp_path / "run",
            spec(checkpoint_every_seconds=1.0),
            model=explodes(20),
            events=events,
            clock=Ticks(0.1),
        )
    assert caught.value.reason == "nan_loss"
    found = latest_checkpoint(tmp_path / "run")
    assert found is not None and 0 < found[0] < 20
    saved = checkpoints.read(found[1])
    assert all(torch.isfinite(tensor).all() for tensor in saved.model.values())


def test_nan_in_the_first_step_is_told_too(tmp_path: Any) -> None:
    dataset = stripes()
    dataset.splits["train"].inputs[:] = math.nan
    with pytest.raises(RunFailed) as caught:
        record(tmp_path / "run", spec(), dataset=dataset)
    assert caught.value.reason == "nan_loss"


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Any) -> None:
    """The loss of the last step may still be finite when its update has already spoilt the weights."""

    def spoil(event: dict[str, Any]) -> None:
        if event["type"] == "EpochEnded" and event["epoch"] == 2:
            next(training[0]._parts.module.parameters()).data[0] = math.inf

    training: list[Training] = []
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    options = spec(checkpoint_every_seconds=1.0, epochs=2)
    training.append(Training(run_dir, stripes(), SMALL_CNN, options, Recorder(spoil), Script(), Ticks(0.1)))
    with pytest.raises(RunFailed, match="infinite or nan") as caught:
        training[0].run()
    assert caught.value.reason == "nan_loss"
    found = latest_checkpoint(run_dir)
    assert found is not None and found[0] < 24
    assert all(torch.isfinite(tensor).all() for tensor in checkpoints.read(found[1]).model.values())


def test_stops_early_when_nothing_gets_better(tmp_path: Any) -> None:
    outcome, events = record(tmp_path / "run", spec(epochs=60, stop_early_epochs=2))
    epochs = events.of("EpochEnded")
    assert outcome.state == "finished" and len(epochs) < 60
    assert [each["is_best"] for each in epochs[-3:]] == [True, False, False]


def test_trains_without_a_validation_part(tmp_path: Any) -> None:
    outcome, events = record(tmp_path / "run", spec(epochs=2), dataset=stripes(num_validation=0))
    assert outcome.best_val_metric is None
    assert events.of("EpochEnded")[-1]["val_accuracy"] is None and not events.of("SamplesPredicted")


def test_no_training_rows_is_a_data_error(tmp_path: Any) -> None:
    with pytest.raises(DataError, match="no rows"):
        record(tmp_path / "run", spec(), dataset=stripes(num_rows=0))


def test_network_that_does_not_fit_is_told_before_training(tmp_path: Any) -> None:
    source = (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.l = nn.Linear(5, 3)\n"
    )
    source += "    def forward(self, x):\n        return self.l(x.flatten(1))\n"
    with pytest.raises(ModelError, match="Shapes, layer by layer"):
        record(tmp_path / "run", spec(), model=ModelSpec(name="net", source=source, class_name="Net"))


@pytest.mark.parametrize(
    ("error", "reason"), [(OSError(28, "No space left on device"), "disk_full"), (MemoryError(), "out_of_memory")]
)
def test_errors_in_the_middle_of_training_are_named(tmp_path: Any, error: Exception, reason: str) -> None:
    def fail(event: dict[str, Any]) -> None:
        if event["type"] == "EpochEnded":
            raise error

    with pytest.raises(type(error)) as caught:
        record(tmp_path / "run", spec(), events=Recorder(fail))
    assert as_run_failed(caught.value).reason == reason


def test_hard_and_soft_stop(tmp_path: Any) -> None:
    for name, value, num_saved in (("soft", None, 1), ("hard", {"hard": True}, 0)):
        outcome, events = record(tmp_path / name, spec(), control=Script({3: ("stop", value)}), clock=Ticks(0.06))
        assert outcome.state == "stopped" and 0 < outcome.step < 36
        assert len(events.of("CheckpointSaved")) == num_saved
        assert events.types()[-1] == "RunStopped"
        assert events.of("RunStopping")[0]["by"] == "test"


def test_training_leaves_the_compiler_unloaded() -> None:
    """torch.optim's constructor imports torch._dynamo, one to two CPU seconds before the first step."""
    code = (
        "import sys, pathlib, tempfile; from tests.training.training_lab import record, spec;"
        "record(pathlib.Path(tempfile.mkdtemp()), spec(epochs=1)); sys.exit('torch._dynamo' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=120).returncode == 0


def test_an_epoch_counts_every_row_once_also_in_its_last_shorter_steps(tmp_path: Any) -> None:
    """With steps too short to change anything, the epoch's means are those of one pass over all rows."""
    dataset = stripes(num_rows=101)
    still = spec(epochs=2, learning_rate=1e-30, schedule="constant", weight_decay=0.0)
    plain = ModelSpec(name="mlp", options={"dropout": 0.0, "layers": 1})
    outcome, events = record(tmp_path / "run", still, dataset=dataset, model=plain)
    objective = objective_for(dataset.problem, dataset.target)
    expected = score(outcome.module, place(dataset, "train", torch.device("cpu")), objective)
    for epoch in events.of("EpochEnded"):
        assert epoch["train_loss"] == pytest.approx(expected.loss, rel=1e-5)
        assert epoch["train_accuracy"] == expected.metric
    assert events.of("RunStarted")[0]["steps_per_epoch"] == 13


def test_a_disk_that_fills_up_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path: Any) -> None:
    class FullLater(Recorder):
        """Its disk takes the first checkpoint and no other."""

        def flush(self) -> None:
            if self.of("CheckpointSaved"):
                raise OSError(28, "No space left on device")

    run_dir, events = tmp_path / "run", FullLater()
    with pytest.raises(OSError) as caught:
        record(run_dir, spec(checkpoint_every_seconds=1.0), events=events, clock=Ticks(0.1))
    failed = as_run_failed(caught.value)
    assert failed.reason == "disk_full" and "resume the run" in str(failed)
    found = latest_checkpoint(run_dir)
    assert found is not None and found[0] == events.of("CheckpointSaved")[0]["step"]
    outcome, _ = record(run_dir, spec(checkpoint_every_seconds=1.0), clock=Ticks(0.1))
    assert outcome.state == "finished" and outcome.step == 36
