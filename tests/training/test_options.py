"""What a run can be told besides its optimizer, each against the plain way."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_lab.errors import DataError
from lepton_lab.runs.checkpoints import latest_checkpoint
from lepton_lab.specs import ModelSpec
from lepton_lab.training import checkpoints
from lepton_lab.training.callbacks import Subscribed, method_name
from lepton_lab.training.feed import Feed
from lepton_lab.training.finder import steepest
from lepton_lab.training.loop import Training
from lepton_lab.training.muon import Muon, edges_of, orthogonal
from lepton_lab.training.resident import place
from lepton_lab.training.sampler import Sampler
from lepton_lab.training.tensorboard import TensorBoard, _checksum
from tests.training.training_lab import SMALL_CNN, Recorder, Script, Ticks, record, spec, stripes

PLAIN = ModelSpec(name="mlp", options={"dropout": 0.0, "layers": 1})
CPU = torch.device("cpu")


def weights(outcome: Any) -> dict[str, torch.Tensor]:
    return outcome.module.state_dict()


def assert_same(one: Any, other: Any, **tolerance: float) -> None:
    for key, tensor in weights(one).items():
        torch.testing.assert_close(tensor, weights(other)[key], **tolerance)


def test_a_block_of_steps_is_what_each_step_would_have_gathered() -> None:
    dataset = stripes(num_rows=101)
    rows, sampler = place(dataset, "train", CPU), Sampler(101, 8, 0, CPU)
    feed = Feed(rows, sampler, 256, steps_per_block=4)
    alone = Feed(rows, sampler, 256, steps_per_block=1)
    for step in (*range(30), 17, 3):
        one, other, plain = feed.at(step), alone.at(step), rows.batch(sampler.rows(step))
        assert torch.equal(one.inputs[0], plain.inputs[0]) and torch.equal(one.labels, plain.labels)
        assert torch.equal(other.inputs[0], plain.inputs[0])


def test_a_step_in_parts_is_the_step_of_the_whole(tmp_path: Path) -> None:
    whole, _ = record(tmp_path / "whole", spec(epochs=2), model=PLAIN)
    for parts in (2, 3, 8):
        split, events = record(tmp_path / f"{parts}", spec(epochs=2, accumulate=parts), model=PLAIN)
        assert_same(whole, split, rtol=1e-3, atol=1e-5)
        assert events.of("EpochEnded")[0]["train_accuracy"] is not None


HUNGRY = """
class Hungry(nn.Module):
    '''Needs more memory than there is for more than three rows at once.'''
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.layer = nn.Linear(math.prod(input_shape), num_classes)
    def forward(self, rows):
        if len(rows) > 3 and self.training:
            torch.empty(2**58)
        return self.layer(rows.flatten(1))
"""


def test_full_memory_halves_what_goes_through_at_once_and_the_update_stays(tmp_path: Path) -> None:
    def net(source: str) -> ModelSpec:
        return ModelSpec(name="hungry", source=source, class_name="Hungry")

    outcome, events = record(tmp_path / "a", spec(epochs=2), model=net(HUNGRY))
    told = [each["message"] for each in events.of("WarningRaised")]
    assert len(told) == 2 and "in 4 parts" in told[-1]
    fed, _ = record(tmp_path / "b", spec(epochs=2), model=net(HUNGRY.replace("2**58", "2")))
    assert_same(outcome, fed, rtol=1e-3, atol=1e-5)
    found = latest_checkpoint(tmp_path / "a")
    assert found is not None and checkpoints.read(found[1]).state["num_parts"] == 4


def test_the_average_is_what_its_formula_says_and_what_is_kept(tmp_path: Path) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    training = Training(run_dir, stripes(), SMALL_CNN, spec(epochs=1, ema=0.9), Recorder(), Script(), Ticks(0.001))
    module = training._parts.module
    expected = checkpoints.copy_of(module)
    while not training._is_done():
        training._take_step()
        seen.append(checkpoints.copy_of(module))
    for step, each in enumerate(seen, 1):
        keep = min(0.9, (1 + step) / (10 + step))
        for name, tensor in each.items():
            expected[name] = keep * expected[name] + (1 - keep) * tensor if tensor.is_floating_point() else tensor
    kept = training._finish().module.state_dict()
    for name, tensor in expected.items():
        torch.testing.assert_close(kept[name], tensor)
    assert not torch.equal(kept["head.weight"], seen[-1]["head.weight"])


def test_a_resumed_run_goes_on_with_its_average_its_augmentation_and_its_bits(tmp_path: Path) -> None:
    options = spec(epochs=4, ema=0.9, augment="strong", checkpoint_every_seconds=0.5)
    whole, _ = record(tmp_path / "whole", options, clock=Ticks(0.1))
    stopped, _ = record(tmp_path / "halves", options, control=Script({5: ("stop", None)}), clock=Ticks(0.1))
    assert stopped.state == "stopped" and 0 < stopped.step < 48
    halves, _ = record(tmp_path / "halves", options, clock=Ticks(0.1))
    assert all(torch.equal(tensor, weights(halves)[key]) for key, tensor in weights(whole).items())


def test_a_plateau_halves_the_rate(tmp_path: Path) -> None:
    events = record(tmp_path / "run", spec(epochs=8, schedule="plateau", learning_rate=1e-30), model=PLAIN)[1]
    changes = events.of("LearningRateChanged")
    assert [each["new"] for each in changes] == [5e-31, 2.5e-31] and changes[0]["by"] == "plateau"


def test_balanced_class_weights_learn_the_rare_class(tmp_path: Path) -> None:
    plain, _ = record(tmp_path / "plain", spec(epochs=1))
    balanced, _ = record(tmp_path / "same", spec(epochs=1, class_weights="balanced"))
    assert_same(plain, balanced, rtol=1e-4, atol=1e-5)  # the classes are of one size
    rare = stripes()
    rare.splits["train"].labels[10:] = 0
    one, _ = record(tmp_path / "one", spec(epochs=1), dataset=rare)
    other, _ = record(tmp_path / "two", spec(epochs=1, class_weights="balanced"), dataset=rare)
    assert not torch.equal(weights(one)["head.bias"], weights(other)["head.bias"])
    rare.task = "regression"
    with pytest.raises(DataError, match="needs classes"):
        record(tmp_path / "three", spec(epochs=1, class_weights="balanced"), dataset=rare)


def test_focal_loss_learns_too(tmp_path: Path) -> None:
    outcome, events = record(tmp_path / "run", spec(epochs=6, loss="focal"), model=ModelSpec(name="cnn"))
    assert outcome.best_val_metric is not None and outcome.best_val_metric >= 0.9
    assert events.of("RunStarted")[0]["options"]["loss"] == "focal"


def test_deterministic_mode_is_set_and_taken_back(tmp_path: Path) -> None:
    record(tmp_path / "run", spec(epochs=1, deterministic=True))
    assert torch.are_deterministic_algorithms_enabled()
    record(tmp_path / "other", spec(epochs=1))
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_rate_of_a_trial_is_used_and_told_and_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    _, events = record(tmp_path / "run", spec(epochs=1, find_learning_rate=True))
    found = events.of("LearningRateFound")[0]
    started = events.of("RunStarted")[0]
    assert 1e-5 < found["learning_rate"] < 1 and len(found["rates"]) == len(found["losses"]) > 20
    assert started["learning_rate"] == found["learning_rate"]
    assert "fell fastest" in started["choices"]["learning_rate"]
    given, _ = record(tmp_path / "given", spec(epochs=1, learning_rate=found["learning_rate"]))
    searched, _ = record(tmp_path / "again", spec(epochs=1, find_learning_rate=True))
    assert_same(given, searched, rtol=0.0, atol=0.0)


def test_the_steepest_fall_counts_not_the_lowest_point() -> None:
    rates = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert steepest(rates, [1.0, 0.99, 0.9, 0.5, 0.45, 3.0]) == 1e-2 or steepest(rates, [1, 1, 1, 0.2, 0.1, 3]) == 1e-1
    assert steepest([1e-6], [1.0]) == 1e-6


class Listener:
    """Counts epochs, fails at the second sample."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.num_samples = 0

    def on_epoch_ended(self, event: dict[str, Any]) -> None:
        self.epochs.append(event["epoch"])

    def on_samples_predicted(self, event: dict[str, Any]) -> None:
        self.num_samples += 1
        raise ValueError("no more")


def test_callbacks_hear_their_events_and_cannot_break_a_run(tmp_path: Path) -> None:
    listener, events = Listener(), Recorder()
    (tmp_path / "run").mkdir()
    Training(tmp_path / "run", stripes(), SMALL_CNN, spec(), events, Script(), Ticks(0.001), callbacks=[listener]).run()
    assert listener.epochs == [1, 2, 3] and listener.num_samples == 1
    assert "ValueError: no more" in events.of("WarningRaised")[0]["message"]
    assert method_name("LearningRateChanged") == "on_learning_rate_changed"
    quiet = Subscribed(events, [])
    assert quiet.append("EpochEnded", epoch=9) == len(events.events)


OWN = """
class Hears:
    def __init__(self): self.epochs = []
    def on_epoch_ended(self, event): self.epochs.append(event['epoch'])

class Own(nn.Module):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.layer = nn.Linear(math.prod(input_shape), num_classes)
        self.callbacks = [Hears()]
    def forward(self, rows):
        return self.layer(rows.flatten(1))
"""


def test_a_network_of_ones_own_brings_its_callbacks(tmp_path: Path) -> None:
    model = ModelSpec(name="own", source=OWN, class_name="Own")
    outcome, _ = record(tmp_path / "run", spec(epochs=2), model=model)
    assert outcome.module.callbacks[0].epochs == [1, 2]


def records(content: bytes) -> list[bytes]:
    """The records of a TFRecord file, each checksum looked at."""
    found, place = [], 0
    while place < len(content):
        (length,) = struct.unpack("<Q", content[place : place + 8])
        assert content[place + 8 : place + 12] == _checksum(content[place : place + 8])
        body = content[place + 12 : place + 12 + length]
        assert content[place + 12 + length : place + 16 + length] == _checksum(body)
        found.append(body)
        place += 16 + length
    return found


def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    record(tmp_path / "run", spec(epochs=2, tensorboard=True))
    (file,) = (tmp_path / "run" / "tensorboard").iterdir()
    bodies = records(file.read_bytes())
    assert b"brain.Event:2" in bodies[0]
    text = b"".join(bodies)
    for name in (b"train_loss", b"train_accuracy", b"val_loss", b"val_accuracy", b"learning_rate"):
        assert name in text
    # The checksum of "123456789" is the one that the definition of CRC-32C gives.
    crc = 0xE3069283
    assert _checksum(b"123456789") == struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_tensorboard_itself_reads_the_file(tmp_path: Path) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path / "board")
    board.on_epoch_ended({"epoch": 1, "step": 300, "val_loss": 0.25, "val_accuracy": None})
    read = loader.EventAccumulator(str(tmp_path / "board")).Reload()
    assert [(each.step, each.value) for each in read.Scalars("val_loss")] == [(300, 0.25)]


def test_muon_turns_matrices_and_leaves_the_edges_to_adamw() -> None:
    stack = torch.randn(3, 5, 9, generator=torch.Generator().manual_seed(0))
    for turned in (orthogonal(stack), orthogonal(stack.transpose(1, 2)).transpose(1, 2)):
        sizes = torch.linalg.svdvals(turned)
        assert sizes.min() > 0.6 and sizes.max() < 1.3
    module = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Linear(4, 6), torch.nn.Linear(6, 2))
    optimizer = Muon(module.parameters(), 0.01, edges=edges_of(module))
    assert [p.shape for p in optimizer.groups[0].parameters] == [(6, 4)]
    saved = {key: tensor.clone() for key, tensor in optimizer.tensors().items()}
    module(torch.arange(5)).square().mean().backward()
    before = [p.detach().clone() for p in module.parameters()]
    optimizer.step(0.01)
    assert not any(torch.equal(one, two) for one, two in zip(before, module.parameters(), strict=True))
    optimizer.load(saved, 0)
    assert all(not tensor.any() for tensor in optimizer.tensors().values())


def test_bfloat16_computes_the_step_of_float32_but_for_its_digits(tmp_path: Path) -> None:
    model = ModelSpec(name="cnn", options={"dropout": 0.0})
    runs = {
        precision: record(tmp_path / precision, spec(epochs=2, precision=precision, learning_rate=1e-3), model=model)
        for precision in ("float32", "bfloat16")
    }
    plain, tiles = (runs[name][1].of("EpochEnded")[-1] for name in ("float32", "bfloat16"))
    assert tiles["train_loss"] == pytest.approx(plain["train_loss"], abs=0.05)
    assert tiles["val_loss"] == pytest.approx(plain["val_loss"], abs=0.05)
    kept = weights(runs["bfloat16"][0]).values()
    assert all(tensor.dtype != torch.bfloat16 for tensor in kept)


@pytest.mark.parametrize(("ema", "num_validation"), [(0.9, 0), (0.9, 24), (None, 0)])
def test_the_network_that_a_run_ends_with_is_read_from_its_checkpoint(tmp_path, ema, num_validation):
    outcome, _ = record(tmp_path / "run", spec(epochs=1, ema=ema), dataset=stripes(num_validation=num_validation))
    found = latest_checkpoint(tmp_path / "run")
    assert found is not None
    kept = checkpoints.read_best(found[1])
    for name, tensor in outcome.module.state_dict().items():
        assert torch.equal(kept[name], tensor), name
