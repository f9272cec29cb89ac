"""How many trials a cluster has room for."""

from __future__ import annotations

import pytest

from lepton_lab.runs.devices import asked_device, cluster_slots, free_slots, slot_environment
from lepton_lab.runs.ray_cluster import fitting, wanted
from lepton_lab.specs import TrainSpec


@pytest.mark.parametrize(
    ("options", "free", "runs", "words"),
    [
        ({"workers": 1}, {"CPU": 4.0}, 4, "1 x 1 CPU"),
        ({"workers": 2}, {"CPU": 5.0}, 2, "2 x 1 CPU"),
        ({"workers": 2, "cpus_per_worker": 0.5}, {"CPU": 0.9}, 0, "2 x 0.5 CPU"),
        ({"workers": 2, "gpus_per_worker": 0.5}, {"CPU": 64.0, "GPU": 3.0}, 3, "2 x (1 CPU + 0.5 GPU)"),
        ({"workers": 8, "min_workers": 3}, {"CPU": 6.0}, 2, "8 x 1 CPU"),
        ({"workers": 1, "gpus_per_worker": 1}, {"CPU": 64.0}, 0, "1 x (1 CPU + 1 GPU)"),
    ],
)
def test_what_a_run_wants_of_a_cluster_and_how_many_fit(options, free, runs, words):
    spec = TrainSpec.parse({"cluster": "auto", **options})
    assert fitting(spec, free) == runs
    assert wanted(spec) == words


def test_runs_on_a_cluster_take_no_device_of_this_machine():
    slots = ["cpu:0", "cuda:0", *cluster_slots({"LEPTON_CLUSTER_SLOTS": "2"})]
    taken = {"cpu:0": 1.0, "cuda:0": 1.0}
    assert asked_device("auto", None) == "auto"
    wish = asked_device("auto", "auto")
    first = free_slots(wish, slots, taken)
    assert first == "cluster:0"
    assert slot_environment(first, {})["CUDA_VISIBLE_DEVICES"] == ""
    assert free_slots(wish, slots, {**taken, first: 1.0}) == "cluster:1"
    assert free_slots(wish, slots, {**taken, first: 1.0, "cluster:1": 1.0}) is None
    assert free_slots("auto", slots, {first: 1.0}) == "cuda:0"
