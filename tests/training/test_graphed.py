"""The recorded step beside the plain one: the same weights, losses and outputs, whatever the batch.

A graph itself needs a GPU; without one the very work that it holds is run from its buffers again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lepton_lab.data.targets import Target
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem, TrainSpec
from lepton_lab.training.graphed import NUM_WARM_UP, GraphedStep, can_be_graphed, record_graph
from lepton_lab.training.making import make_optimizer
from lepton_lab.training.objective import objective_for
from lepton_lab.training.plan import Network, make_plan
from lepton_lab.training.resident import Batch
from lepton_lab.training.step import Step

PROBLEM = Problem("classification", "image", (1, 8, 8), (3,))
SIZES = [16] * 8 + [5] + [16] * 3
"""Rows of each step; a short batch ends an epoch."""


def trained(kind: type[Step], spec: TrainSpec, device: str = "cpu", **arguments: object) -> list[torch.Tensor]:
    """Losses and outputs of all steps, then the weights and the optimizer's tensors."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two add up in another order each time, which a few steps of Adam make large
    module = build(ModelSpec(name="cnn", options={"dropout": 0.0}), PROBLEM).to(device).train()
    plan = make_plan(spec, PROBLEM, Network(10), num_rows=64)
    optimizer, objective = make_optimizer(module, plan), objective_for(PROBLEM, Target("classification"))
    step = kind(module, optimizer, objective, plan, **arguments)
    generator = torch.Generator().manual_seed(1)
    seen: list[torch.Tensor] = []
    for number, size in enumerate(SIZES):
        rows = torch.randn(size, 1, 8, 8, generator=generator).to(device)
        labels = torch.randint(0, 3, (size,), generator=generator).to(device)
        loss, outputs = step(Batch((rows,), labels), 0.01 / (1 + number))
        assert outputs is not None
        seen += [loss, outputs]
    assert optimizer.num_steps == len(SIZES)
    return [*seen, *module.state_dict().values(), *optimizer.tensors().values()]


def again(work: Callable[[], None]) -> Callable[[], None]:
    """As a recording does, but for that the work is done anew each time."""
    return work


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_recorded_step_computes_what_the_plain_one_does(optimizer: str, clip_norm: float | None) -> None:
    spec = TrainSpec.parse({"optimizer": optimizer, "clip_norm": clip_norm, "precision": "float32"})
    plain, recorded = trained(Step, spec), trained(GraphedStep, spec, record=again)
    for one, other in zip(plain, recorded, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_what_a_step_gave_stays_when_the_next_one_writes_over_the_buffers() -> None:
    spec = TrainSpec(precision="float32")
    recorded = trained(GraphedStep, spec, record=again)
    losses = [recorded[2 * number].item() for number in range(len(SIZES))]
    assert len(set(losses)) == len(SIZES)


def test_what_takes_the_networks_place_is_recorded_anew_whatever_became_of_the_last_recording() -> None:
    def refuse_once(work: Callable[[], None]) -> Callable[[], None]:
        tries.append(work)
        if len(tries) == 1:
            raise RuntimeError("not while capturing")
        return work

    tries: list[Callable[[], None]] = []
    said: list[str] = []
    module = build(ModelSpec(name="cnn"), PROBLEM).train()
    plan = make_plan(TrainSpec(precision="float32"), PROBLEM, Network(10), num_rows=64)
    needed = (make_optimizer(module, plan), objective_for(PROBLEM, Target("classification")), plan)
    step = GraphedStep(module, *needed, record=refuse_once, warn=said.append)
    batch = Batch((torch.randn(16, 1, 8, 8),), torch.zeros(16, dtype=torch.int64))
    for _ in range(2):
        for _ in range(NUM_WARM_UP + 2):
            step(batch, 0.01)
        step.go_through(module)
    assert len(tries) == 2 and len(said) == 1


def test_a_network_that_cannot_be_recorded_trains_on_and_one_sentence_says_so() -> None:
    def refuse(work: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    said: list[str] = []
    spec = TrainSpec(precision="float32")
    tried = trained(GraphedStep, spec, record=refuse, warn=said.append)
    for one, other in zip(trained(Step, spec), tried, strict=True):
        assert torch.equal(one, other)
    assert len(said) == 1 and "not permitted when stream is capturing); it is taken one kernel" in said[0]


def test_only_steps_that_are_all_alike_are_recorded_and_none_without_a_gpu() -> None:
    module = torch.nn.Linear(2, 2)
    plan = make_plan(TrainSpec(), PROBLEM, Network(10), num_rows=64)
    on_gpu = replace(plan, device="cuda")
    optimizer, objective = make_optimizer(module, plan), objective_for(PROBLEM, Target("classification"))
    ranking = objective_for(Problem("ranking", "interactions", (2,), (), num_users=2, num_items=2), Target("ranking"))
    assert can_be_graphed(on_gpu, objective, optimizer, has_lengths=False)
    assert not can_be_graphed(plan, objective, optimizer, has_lengths=False) or torch.cuda.is_available()
    assert not can_be_graphed(on_gpu, objective, optimizer, has_lengths=True)
    assert not can_be_graphed(on_gpu, ranking, optimizer, has_lengths=False)
    assert not can_be_graphed(replace(on_gpu, accumulate=2), objective, optimizer, has_lengths=False)
    muon = make_optimizer(module, replace(plan, optimizer="muon"))
    assert not can_be_graphed(on_gpu, objective, muon, has_lengths=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO GPU: the CUDA graph of a step has not been run")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_on_a_gpu_computes_what_the_plain_step_does(precision: str) -> None:
    spec = TrainSpec.parse({"device": "cuda", "precision": precision})
    plain = trained(Step, spec, "cuda")
    recorded = trained(GraphedStep, spec, "cuda", record=record_graph)
    tolerance = 1e-4 if precision == "float32" else 5e-2
    for one, other in zip(plain, recorded, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    assert len(SIZES) > NUM_WARM_UP + 1, "some steps came from the graph"
