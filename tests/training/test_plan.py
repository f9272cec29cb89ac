"""Automatic choices, each with its reason."""

from __future__ import annotations

import pytest
import torch

from lepton_lab.errors import RunFailed
from lepton_lab.specs import Problem, TrainSpec
from lepton_lab.training.plan import Network, Plan, bfloat16_unit, make_plan
from lepton_lab.training.threads import choose_threads, num_cores, num_free_cores

CLASSES = Problem("classification", "image", (1, 8, 8), (10,))


def plan(spec: TrainSpec | None = None, *, num_rows: int = 1294, num_macs: int = 600_000) -> Plan:
    return make_plan(spec or TrainSpec(device="cpu"), CLASSES, Network(num_macs), num_rows=num_rows)


def test_what_was_asked_is_kept_and_not_called_a_choice() -> None:
    asked = TrainSpec(
        device="cpu",
        epochs=3,
        batch_size=7,
        learning_rate=0.3,
        threads=3,
        precision="float32",
        weight_decay=0.0,
        optimizer="sgd",
        loss="focal",
        augment="none",
    )
    made = plan(asked)
    assert (made.batch_size, made.learning_rate, made.threads, made.weight_decay) == (7, 0.3, 3, 0.0)
    assert made.choices == {}


def test_every_choice_says_value_and_reason() -> None:
    made = plan()
    assert set(made.choices) == {
        "epochs",
        "precision",
        "batch_size",
        "threads",
        "learning_rate",
        "weight_decay",
        "loss",
        "augment",
        "shift",
        "cutout",
    }
    assert made.choices["batch_size"].startswith(f"{made.batch_size} because ")
    assert all(" because " in reason for reason in made.choices.values())


@pytest.mark.parametrize(("num_rows", "expected"), [(1294, 32), (54_000, 64), (100, 16), (5, 5)])
def test_batch_size_follows_the_rows(num_rows: int, expected: int) -> None:
    assert plan(num_rows=num_rows).batch_size == expected


@pytest.mark.parametrize(("num_rows", "expected"), [(1294, 20), (54_000, 20), (100, 115), (40, 267), (5, 300)])
def test_few_rows_are_passed_over_more_often(num_rows: int, expected: int) -> None:
    assert plan(num_rows=num_rows).epochs == expected


def test_a_network_may_name_its_own_learning_rate() -> None:
    made = make_plan(TrainSpec(device="cpu"), CLASSES, Network(1, {"adamw": 0.0123}), num_rows=10)
    assert made.learning_rate == 0.0123


def test_a_network_may_name_options_that_suit_it_and_a_person_wins() -> None:
    network = Network(1, defaults={"label_smoothing": 0.1, "clip_norm": 1.0, "batch_size": 4})
    made = make_plan(TrainSpec(device="cpu", clip_norm=2.0), CLASSES, network, num_rows=10)
    assert (made.label_smoothing, made.clip_norm, made.batch_size) == (0.1, 2.0, 4)
    assert made.choices["label_smoothing"] == "0.1 because it suits this network"
    assert "clip_norm" not in made.choices


def test_convolutions_use_the_units_for_bfloat16_where_there_are_some() -> None:
    made = make_plan(TrainSpec(device="cpu"), CLASSES, Network(10**8, has_tiles=True), num_rows=10)
    assert made.precision == ("bfloat16" if bfloat16_unit() else "float32")
    assert plan().precision == "float32"


@pytest.mark.parametrize(
    ("supported", "expected"),
    [
        ({"_is_amx_tile_supported", "_is_avx512_bf16_supported"}, "AMX"),
        ({"_is_avx512_bf16_supported"}, "AVX-512"),
        (set(), None),
    ],
)
def test_bfloat16_is_for_processors_that_multiply_it(
    supported: set[str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in supported)
    assert bfloat16_unit() == expected
    made = make_plan(TrainSpec(device="cpu"), CLASSES, Network(10**8, has_tiles=True), num_rows=10)
    assert made.precision == ("bfloat16" if expected else "float32")
    assert expected is None or f"({expected})" in made.choices["precision"]


def test_small_networks_get_one_thread_large_ones_the_free_cores() -> None:
    assert choose_threads(1_000_000)[0] == 1
    threads, reason = choose_threads(10**12)
    assert 1 <= threads <= num_cores() and "free" in reason
    assert 1 <= num_free_cores() <= num_cores()


def test_cuda_without_a_gpu_is_refused_in_a_sentence() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RunFailed, match="device=cpu"):
        plan(TrainSpec(device="cuda"))


def test_comes_back_from_its_dict() -> None:
    assert Plan(**plan().to_dict()) == plan()
