"""A network that is cut over real processes trains as one that is whole, whatever comes between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton_lab.specs import TrainSpec
from tests.scaling.test_together import TOLERANCE, assert_same, begin, events_of, last, work_on
from tests.training.training_lab import curve_of

MODEL = {"channels": 24}
"""Wide enough for layers that gather their weights themselves, and a last one whose rows do not divide evenly."""

HOW = {"ema": 0.9, "clip_norm": 0.5, "accumulate": 2}
CUT = {**HOW, "shard": "always"}


def cut(run: str, devices: int = 2, *on: list[Any], **options: Any) -> dict[str, Any]:
    return {"run": run, "devices": devices, "model": MODEL, "options": {**CUT, **options}, "on": list(on)}


WHOLE = {"run": "one", "devices": 1, "model": MODEL, "options": HOW}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a whole network, and runs of one that is cut, some of them interrupted."""
    folder = tmp_path_factory.mktemp("runs")
    stop = ["EpochEnded", 1, ["stop"]]
    begin(
        folder,
        WHOLE,
        cut("changing", 2, stop),
        {**WHOLE, "run": "changing", "on": [stop]},
        {**cut("changing", 3, shard="auto"), "free": 1000},
        cut("killed", 2, ["CheckpointSaved", 2, ["kill", 1]], checkpoint_every_seconds=0.05),
        cut(
            "steered",
            2,
            ["EpochEnded", 1, ["set_learning_rate", 0.001]],
            ["LearningRateChanged", 1, ["pause"]],
            ["RunPaused", 1, ["resume"]],
            ["RunResumed", 1, ["stop"]],
            epochs=30,
        ),
    )
    return folder


def test_a_cut_network_trains_as_a_whole_one_and_goes_on_as_a_whole_one_and_in_more_parts(runs: Path) -> None:
    """With an average of the weights, gradients of bounded length, and steps in two parts."""
    assert_same(runs / "changing", runs / "one")
    started = events_of(runs / "changing", "RunStarted")
    assert [(each.get("devices", 1), each.get("shard", False)) for each in started] == [
        (2, True), (1, False), (3, True),
    ]  # fmt: skip
    assert "shard" not in started[0]["choices"]
    assert started[2]["choices"]["shard"].startswith("always because training 3 whole copies takes 0.00")
    ours, theirs = last(runs / "changing"), last(runs / "one")
    for of_ours, of_theirs in ((ours.average, theirs.average), (ours.best, theirs.best)):
        assert of_ours is not None and of_theirs is not None
        assert of_ours.keys() == of_theirs.keys()
        for name, tensor in of_theirs.items():
            np.testing.assert_allclose(of_ours[name], tensor, atol=2e-4, err_msg=name)
    assert {name: each.shape for name, each in ours.optimizer.items()} == {
        name: each.shape for name, each in theirs.optimizer.items()
    }


def test_a_killed_process_of_a_cut_network_does_not_show(runs: Path) -> None:
    assert_same(runs / "killed", runs / "one")
    (again,) = events_of(runs / "killed", "RunRestarted")
    assert again["reason"] == "rank_died" and again["from_step"] > 0


def test_commands_reach_all_processes_of_a_cut_network(runs: Path) -> None:
    received = [each["command"] for each in events_of(runs / "steered", "CommandReceived")]
    assert received == ["set_learning_rate", "pause", "resume", "stop"]
    (stopped,) = events_of(runs / "steered", "RunStopped")
    assert last(runs / "steered", stopped["step"]).state["step"] == stopped["step"]


@pytest.mark.slow
def test_muon_turns_matrices_of_which_each_process_has_a_part(tmp_path: Path) -> None:
    options = {"optimizer": "muon", "weight_decay": 0.01}
    begin(tmp_path, {**WHOLE, "options": {**HOW, **options}}, cut("three", 3, **options))
    curves, expected = curve_of(tmp_path / "three"), curve_of(tmp_path / "one")
    for name, (x, y) in expected.items():
        assert curves[name][0] == x
        np.testing.assert_allclose(curves[name][1], y, atol=TOLERANCE, err_msg=name)
    ours, theirs = last(tmp_path / "three").model, last(tmp_path / "one").model
    for name, tensor in theirs.items():  # a turn multiplies what the order of a sum changes in small directions
        np.testing.assert_allclose(ours[name], tensor, atol=2e-3, err_msg=name)


@pytest.mark.slow
def test_four_processes_and_an_early_end(tmp_path: Path) -> None:
    options = {"epochs": 30, "stop_early_epochs": 2}
    whole = {**WHOLE, "options": {**HOW, **options}}
    begin(tmp_path, whole, cut("four", 4, **options))
    (_, *ours), (_, *theirs) = (events_of(tmp_path / name, "EpochEnded") for name in ("four", "one"))
    assert len(ours) == len(theirs) < 29
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["val_loss"] == pytest.approx(other["val_loss"], abs=1e-4)


@pytest.mark.slow
def test_a_cut_network_is_evaluated_and_exported(tmp_path: Path) -> None:
    train = TrainSpec(epochs=2, batch_size=16, devices=2, device="cpu", shard="always")
    record = work_on(tmp_path, {"hidden": 130}, train, num_classes=3)
    (started,) = events_of(record.dir, "RunStarted")
    assert started["shard"] is True and started["devices"] == 2
    assert (record.dir / "report.json").exists()


@pytest.mark.slow
def test_what_is_too_large_for_a_process_is_cut_over_two_by_itself(tmp_path: Path) -> None:
    """38 million weights: whole they take 640 MB with gradients and AdamW, of which 560 MB are there."""
    large = {"model": {"width": 512, "heads": 8, "layers": 12}, "rows": [16, 8], "limit": 560_000_000}
    options = {"epochs": 1, "batch_size": 16}
    # In processes of their own, as runs are: what the first has used would count against the second.
    begin(tmp_path, {**large, "run": "whole", "devices": 1, "options": options})
    begin(tmp_path, {**large, "run": "cut", "devices": 2, "options": options})
    (failed,) = events_of(tmp_path / "whole", "RunFailed")
    assert failed["reason"] == "out_of_memory"
    (started,) = events_of(tmp_path / "cut", "RunStarted")
    assert started["choices"]["shard"].startswith("always because training 2 whole copies takes 1.51 GB and 0.")
    assert len(events_of(tmp_path / "cut", "EpochEnded")) == 1
    assert last(tmp_path / "cut", 1).best is not None
