"""A compiled network trains as the plain one does, and a run compiles where that pays and only there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lepton_lab.data.targets import Target
from lepton_lab.errors import SpecError
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem, TrainSpec
from lepton_lab.training.compiled import NUM_FIRST, NUM_TIMED, NUM_WARM_UP, CompiledStep, may_compile
from lepton_lab.training.graphed import GraphedStep
from lepton_lab.training.making import make_optimizer
from lepton_lab.training.objective import objective_for
from lepton_lab.training.plan import Network, Plan, make_plan
from lepton_lab.training.resident import Batch
from lepton_lab.training.resuming import PLAN_FILE
from lepton_lab.training.step import Step
from tests.training.training_lab import Script, Ticks, record, spec

PROBLEM = Problem("classification", "image", (1, 8, 8), (3,))
ROWS = 16
AT_END = {"step": NUM_FIRST + 2 * NUM_TIMED + 1 + NUM_WARM_UP}
"""Where the trial is over."""


class Clock:
    """A clock that a step moves by as long as the network in use takes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(nn.Module):
    """A network that moves a clock."""

    def __init__(self, module: nn.Module, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.module, self.clock, self.seconds, self.num_calls = module, clock, seconds, 0

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        self.clock.now += self.seconds
        self.num_calls += 1
        answers: torch.Tensor = self.module(rows)
        return answers


def batches(sizes: list[int]) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(1)
    for size in sizes:
        yield Batch(
            (torch.randn(size, 1, 8, 8, generator=generator),), torch.randint(0, 3, (size,), generator=generator)
        )


def a_plan(**options: Any) -> Plan:
    spec = TrainSpec.parse({"batch_size": ROWS, "precision": "float32", **options})
    return make_plan(spec, PROBLEM, Network(10), num_rows=64)


def parts(
    plan: Plan, kind: type[Step] = Step, module: nn.Module | None = None, **arguments: Any
) -> tuple[nn.Module, Step]:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two add up in another order each time
    module = module or build(ModelSpec(name="cnn", options={"channels": 4}), PROBLEM).train()
    optimizer, objective = make_optimizer(module, plan), objective_for(PROBLEM, Target("classification"))
    return module, kind(module, optimizer, objective, plan, **arguments)


def compiled_step(step: Step, module: nn.Module, plan: Plan, steps_total: int = 20, **arguments: Any) -> CompiledStep:
    """The step with its network compiled; a warning fails the test unless somebody listens."""
    heard: dict[str, Any] = {"warn": pytest.fail, "tell": lambda event, **figures: None, **arguments}
    return CompiledStep(step, step._optimizer, module, plan, steps_total, **heard)


def taken(step: Any, sizes: list[int]) -> list[torch.Tensor]:
    """Losses and outputs of steps over batches of these sizes."""
    seen: list[torch.Tensor] = []
    for number, batch in enumerate(batches(sizes)):
        loss, outputs = step(batch, 0.01 / (1 + number))
        assert outputs is not None
        seen += [loss, outputs]
    return seen


def again(work: Callable[[], None]) -> Callable[[], None]:
    """As a recorded graph does, but for that the work is done anew each time."""
    return work


@pytest.mark.parametrize(("kind", "arguments"), [(Step, {}), (GraphedStep, {"record": again})])
def test_a_compiled_network_trains_as_the_plain_one_does(kind: type[Step], arguments: dict[str, Any]) -> None:
    plan, sizes, told = a_plan(compile="on"), [ROWS] * 6 + [5] + [ROWS] * 2, list[str]()
    plain_module, plain = parts(plan)
    expected = [*taken(plain, sizes), *plain_module.state_dict().values()]
    module, step = parts(plan, kind, **arguments)
    compiled = compiled_step(step, module, plan, tell=lambda event, **figures: told.append(event))
    torch.manual_seed(0)
    build(ModelSpec(name="cnn", options={"channels": 4}), PROBLEM)  # so that dropout draws as it did for the plain one
    found = [*taken(compiled, sizes), *module.state_dict().values()]
    assert told == ["StepCompiled"]
    assert isinstance(step._module._compiled, torch._dynamo.eval_frame.OptimizedModule)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def a_run(seconds: float, compiled_seconds: float, steps: int) -> tuple[list[Any], int, int]:
    """Steps of a network with the speed of both forms given; what was told, and how often each form was used."""
    plan, clock = a_plan(), Clock()
    torch.manual_seed(0)
    inner = build(ModelSpec(name="cnn", options={"channels": 4}), PROBLEM).train()
    slow, fast = Slow(inner, clock, seconds), Slow(inner, clock, compiled_seconds)
    _, step = parts(plan, module=slow)
    told: list[Any] = []
    heard = {"tell": lambda event, **figures: told.append((event, figures))}
    taker = compiled_step(step, slow, plan, steps, compile_module=lambda module: fast, clock=clock, **heard)
    for batch in batches([ROWS] * (NUM_FIRST + 2 * NUM_TIMED + NUM_WARM_UP + 20)):
        taker(batch, 0.001)
    return told, slow.num_calls, fast.num_calls


def test_a_short_run_is_not_compiled() -> None:
    told, _, num_compiled = a_run(0.01, 0.001, 10_000)
    assert not told and num_compiled == 0


def test_a_long_run_is_compiled_where_that_is_faster() -> None:
    told, num_plain, _ = a_run(0.1, 0.05, 10_000)
    assert told == [("StepCompiled", {**AT_END, "seconds": 0.05, "step_ms": [100.0, 50.0], "is_kept": True})]
    assert num_plain == NUM_FIRST + NUM_TIMED


def test_a_long_run_goes_on_as_it_was_where_compiling_does_not_help() -> None:
    told, _, num_compiled = a_run(0.1, 0.099, 10_000)
    assert told == [("StepCompiled", {**AT_END, "seconds": 0.1, "step_ms": [100.0, 99.0], "is_kept": False})]
    assert num_compiled == 1 + NUM_WARM_UP + NUM_TIMED


def test_a_network_that_cannot_be_compiled_trains_on_and_one_sentence_says_so() -> None:
    plan, sizes, warned = a_plan(compile="on"), [ROWS] * 4, list[str]()
    expected = taken(parts(plan)[1], sizes)
    module, step = parts(plan)

    def refuse(module: nn.Module) -> Any:
        raise RuntimeError("no C++ compiler is here\nand more")

    compiled = compiled_step(step, module, plan, warn=warned.append, compile_module=refuse)
    torch.manual_seed(0)
    build(ModelSpec(name="cnn", options={"channels": 4}), PROBLEM)
    assert all(torch.equal(*pair) for pair in zip(expected, taken(compiled, sizes), strict=True))
    assert warned == ["The network cannot be compiled (no C++ compiler is here); it trains as it is."]


def test_the_memory_being_full_is_no_reason_to_say_that_a_network_cannot_be_compiled() -> None:
    plan, calls = a_plan(compile="on"), list[int]()
    module, step = parts(plan)

    def full(*inputs: torch.Tensor) -> torch.Tensor:
        calls.append(len(inputs[0]))
        raise MemoryError

    compiled = compiled_step(step, module, plan, compile_module=lambda module: full)
    with pytest.raises(MemoryError):
        compiled(next(batches([ROWS])), 0.1)
    assert calls == [ROWS] and compiled.split(ROWS) and compiled.num_parts == 2


@pytest.mark.parametrize(
    ("options", "has_lengths", "expected"),
    [
        ({"device": "cpu"}, False, False),
        ({"device": "cpu", "compile": "on"}, True, True),
        ({"device": "cpu", "compile": "off"}, False, False),
    ],
)
def test_on_a_cpu_only_who_asks_gets_it_compiled(options: dict[str, Any], has_lengths: bool, expected: bool) -> None:
    objective = objective_for(PROBLEM, Target("classification"))
    assert may_compile(a_plan(**options), objective, has_lengths=has_lengths) is expected


def test_on_a_gpu_long_runs_whose_batches_are_alike_try_it() -> None:
    objective, plan = objective_for(PROBLEM, Target("classification")), a_plan(device="cpu")
    on_gpu = replace(plan, device="cuda")
    assert may_compile(on_gpu, objective, has_lengths=False)
    assert not may_compile(on_gpu, objective, has_lengths=True)
    for change in ({"accumulate": 2}, {"deterministic": True}, {"compile": "off"}):
        assert not may_compile(replace(on_gpu, **change), objective, has_lengths=False)


def test_several_processes_are_not_compiled() -> None:
    with pytest.raises(SpecError, match="one process"):
        TrainSpec.parse({"compile": "on", "devices": 2})


def test_a_run_that_asks_for_it_tells_of_it_and_learns_as_it_would_have(tmp_path: Path) -> None:
    plain = record(tmp_path / "plain", spec())[1]
    events = record(tmp_path / "compiled", spec(compile="on"))[1]
    assert events.of("StepCompiled")[0]["is_kept"] and not events.of("WarningRaised")
    for one, other in zip(plain.of("EpochEnded"), events.of("EpochEnded"), strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-3)


def test_a_run_goes_on_compiled_if_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lepton_lab.training.setup.may_compile", lambda *arguments, **lengths: True)
    folder = tmp_path / "run"
    record(folder, spec(compile="on"), control=Script({2: ("stop", None)}), clock=Ticks(0.05))
    plan = json.loads((folder / PLAN_FILE).read_text())
    (folder / PLAN_FILE).write_text(json.dumps({**plan, "compile": "auto"}))  # as if a trial had chosen it
    outcome, events = record(folder, spec())
    (told,) = events.of("StepCompiled")
    assert outcome.state == "finished" and told["is_kept"] and "step_ms" not in told
    assert not record(tmp_path / "short", spec())[1].of("StepCompiled")


def test_the_compiler_is_not_imported_where_nothing_is_compiled() -> None:
    code = "import sys, lepton_lab.training.loop; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
