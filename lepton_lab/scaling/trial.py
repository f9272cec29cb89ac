"""A few steps both ways before a run begins: whether several processes are faster than one is measured, not guessed."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.scaling.step import SharedStep
from lepton_lab.scaling.team import Team
from lepton_lab.training import checkpoints
from lepton_lab.training.making import make_optimizer
from lepton_lab.training.setup import Parts
from lepton_lab.training.step import Step

COMPARISON_FILE = "devices.json"
WARM_STEPS, FEWEST_STEPS, MOST_STEPS = 3, 5, 40
TRIAL_SECONDS = 0.4
"""How long each way is tried, at most, once it has made the fewest steps."""

GAIN = 0.97
"""A shared step has to take less than this share of the time of a step alone; else it is not worth the processes."""


@dataclass(frozen=True)
class Comparison:
    """What a step takes, in seconds: the median of some real ones on this machine at this moment."""

    devices: int
    alone_seconds: float
    shared_seconds: float

    @property
    def used(self) -> int:
        """Processes that the run is to have."""
        return self.devices if self.is_worth_it else 1

    @property
    def is_worth_it(self) -> bool:
        """Whether several processes are faster."""
        return self.shared_seconds < GAIN * self.alone_seconds

    @property
    def reason(self) -> str:
        """What was measured, as a sentence goes on with it."""
        shared = f"a step took {1e3 * self.shared_seconds:.3g} ms in {self.devices} processes"
        return f"{shared} and {1e3 * self.alone_seconds:.3g} ms in one, in a trial of some steps"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `Comparison(**values)` builds it again."""
        return asdict(self)


def known_comparison(run_dir: Path, devices: int) -> Comparison | None:
    """What the trial of an earlier start of a run said of as many processes."""
    path = run_dir / COMPARISON_FILE
    found = Comparison(**read_json(path)) if path.exists() else None
    return found if found is not None and found.devices == devices else None


def keep_comparison(run_dir: Path, found: Comparison) -> None:
    """Writes down what a trial said."""
    write_json(run_dir / COMPARISON_FILE, found.to_dict())


def compare(parts: Parts, team: Team, *, num_threads: int, threads_alone: int) -> Comparison:
    """Times steps of rank 0 alone, then of all ranks together, on copies of the network; all ranks call this.

    The network, and the state of chance, stay as they are.

    Args:
        parts: The run, ready to take its first step.
        team: The ranks.
        num_threads: Threads of a rank.
        threads_alone: Threads that one process would have.
    """
    chance = checkpoints.random_state()
    alone = 0.0
    team.wait()
    if team.rank == 0:
        torch.set_num_threads(threads_alone)
        alone = _median(parts, _copied(parts, None), lambda so_far: so_far < TRIAL_SECONDS)
    torch.set_num_threads(num_threads)
    team.wait()
    step = _copied(parts, team)
    shared = _median(parts, step, lambda so_far: bool(team.tell(so_far < TRIAL_SECONDS)))
    team.wait()
    checkpoints.set_random_state(chance)
    return Comparison(*team.tell((team.size, alone, shared)))


def _copied(parts: Parts, team: Team | None) -> Step:
    """The step on a copy of the network."""
    module = copy.deepcopy(parts.module).train()
    optimizer = make_optimizer(module, parts.plan)
    if team is None:
        return Step(module, optimizer, parts.objective, parts.plan)
    return SharedStep(module, optimizer, parts.objective, parts.plan, team)


def _median(parts: Parts, step: Step, goes_on: Callable[[float], bool]) -> float:
    """The median time of a step that moves nothing, and its share of the gathering of rows.

    `goes_on` is asked with the seconds so far.
    """
    seconds, gathering = list[float](), 0.0
    for number in range(WARM_STEPS + MOST_STEPS):
        began = time.perf_counter()
        if number == 0 or not parts.feed.holds(number):
            parts.feed.gather(number)  # the other way has left the first block behind, so that it counts in both
            gathering += time.perf_counter() - began
        began = time.perf_counter()
        step(parts.feed.at(number), 0.0)[0].item()
        seconds.append(time.perf_counter() - began)
        if len(seconds) >= WARM_STEPS + FEWEST_STEPS and not goes_on(sum(seconds)):
            break
    return statistics.median(seconds[WARM_STEPS:]) + gathering / len(seconds)
