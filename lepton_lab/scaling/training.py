"""The training loop in every rank: the same steps and the same figures; rank 0 takes commands and saves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from lepton_lab.errors import RunFailed
from lepton_lab.scaling.memory import quickest
from lepton_lab.scaling.step import SharedStep
from lepton_lab.scaling.team import Collective, Team
from lepton_lab.scaling.trial import Comparison, compare, keep_comparison, known_comparison
from lepton_lab.scaling.validation import shared_score
from lepton_lab.training.loop import StoppedWithin, Training
from lepton_lab.training.objective import Scores
from lepton_lab.training.resident import Rows
from lepton_lab.training.schedules import Schedule
from lepton_lab.training.setup import Parts
from lepton_lab.training.steering import LOOK_SECONDS

SPARE_NUMBERS = 1 << 18
"""Beside the gradients a sum carries the outputs of a batch."""


class NotWorthIt(Exception):
    """One process is as fast.

    Args:
        comparison: How that was found.
    """

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(comparison.reason)
        self.comparison = comparison


class SharedTraining(Training):
    """`Training` of one rank; see there for the other arguments.

    Commands are looked for by rank 0 alone. Where there are any, its next step carries a call: after that step all
    ranks meet, rank 0 does what is asked (a pause holds all of them there) and tells the others what has changed.

    Args:
        arguments: Those of `Training`.
        team: The ranks.
        num_threads: Threads of this rank.
        compares: Whether to try first if several processes are faster; what was tried before is not tried again.

    Raises:
        NotWorthIt: They are not.
    """

    needs_all_ranks = False
    """Whether a pass through the network needs all ranks at once."""

    def __init__(
        self,
        *arguments: Any,
        team: Collective,
        num_threads: int,
        compares: bool,
        **more: Any,
    ) -> None:
        self._team: Team = team
        self._num_threads = num_threads
        self._look_time = 0.0
        super().__init__(*arguments, **more)
        self._team = quickest(team, self._num_exchanged() + SPARE_NUMBERS)
        self._comparison = self._compare() if compares else None
        torch.set_num_threads(num_threads)
        num_parts, self._shared_step = self._step.num_parts, self._make_shared_step()
        self._shared_step.num_parts = num_parts
        self._step = self._shared_step

    def _num_exchanged(self) -> int:
        """Numbers that are added up in a step, besides the outputs."""
        return sum(each.numel() for each in self._parts.optimizer.parameters)

    def _make_shared_step(self) -> SharedStep:
        parts = self._parts
        return SharedStep(parts.module, parts.optimizer, parts.objective, parts.plan, self._team)

    def _compare(self) -> Comparison:
        """What a trial said, now or before an earlier start of the run."""
        known = self._team.tell(known_comparison(self._run_dir, self._team.size))
        if known is not None:
            return known
        threads_alone = self._parts.plan.threads
        found = compare(self._parts, self._team, num_threads=self._num_threads, threads_alone=threads_alone)
        if self._team.rank == 0:
            keep_comparison(self._run_dir, found)
            self._events.append("ProcessesCompared", **found.to_dict(), used=found.used)
        if not found.is_worth_it:
            raise NotWorthIt(found)
        return found

    def _listeners(self, parts: Parts, callbacks: Iterable[object]) -> list[object]:
        return super()._listeners(parts, callbacks) if self._team.rank == 0 else []

    def _announcement(self) -> dict[str, Any]:
        told = super()._announcement()
        choices = dict(told["choices"])
        if self._comparison is not None:
            choices["devices"] = f"{self._team.size} because {self._comparison.reason}"
        return {**told, "devices": self._team.size, "threads": self._num_threads, "choices": choices}

    def _take_step(self) -> None:
        self._shared_step.calls = self._has_commands()
        super()._take_step()
        if self._shared_step.is_called:
            self._meet()

    def _has_commands(self) -> bool:
        """Whether somebody has asked for something; looked for as often as in one process."""
        if self._team.rank:
            return False
        now = self._clock()
        if now < self._look_time:
            return False
        self._look_time = now + LOOK_SECONDS
        return self._steering.has_pending()

    def _attend(self, now: float) -> None:
        self._meet()

    def _meet(self) -> None:
        if self._team.rank == 0:
            super()._attend(self._clock())
        self._share_orders()

    def _share_orders(self) -> None:
        """Gives every rank what rank 0's commands have changed."""
        steering = self._steering
        orders = {
            "schedule": self._schedule.to_dict(),
            "stopped_by": steering.stopped_by,
            "stops_hard": steering.stops_hard,
            "preempted_for": steering.preempted_for,
        }
        orders = self._team.tell(orders)
        self._schedule = Schedule(**orders["schedule"])
        steering.stopped_by, steering.stops_hard = orders["stopped_by"], orders["stops_hard"]
        steering.preempted_for = orders["preempted_for"]
        steering.next_look = math.inf  # between two steps only a call counts

    def _score(self, rows: Rows, *, keep: bool = True) -> Scores:
        scores = shared_score(
            self._team,
            self._parts.module,
            rows,
            self._parts.objective,
            between=self._attend_in_validation,
            cut_short=StoppedWithin,
            evenly=self.needs_all_ranks,
        )
        self._share_orders()
        if scores is None:
            raise StoppedWithin
        return scores

    def _end_epoch(self) -> None:
        super()._end_epoch()
        self._check_agreement()

    def _check_agreement(self) -> None:
        """The ranks never send each other weights, so it is made sure that all have the same.

        Raises:
            RunFailed: They have not; a network whose steps depend on the process, say.
        """
        norms = self._norms()
        if any(other != norms for other in self._team.gather(norms)):
            raise RunFailed(
                f"The processes' weights differ after step {self.num_steps}, so the network does not compute the same "
                "in each of them; train it with devices=1.",
                "error",
            )

    @torch.no_grad()
    def _norms(self) -> list[float]:
        """Of all that training moves."""
        return [float(norm) for norm in torch._foreach_norm(self._parts.optimizer.parameters)]

    def _attend_in_validation(self) -> None:
        if self._has_commands():
            super()._attend(self._clock())
            if self._steering.stopped_by is not None:
                raise StoppedWithin

    def save_checkpoint(self) -> None:
        """As `Training.save_checkpoint`, in rank 0; what is saved is the same in all of them."""
        if self._team.rank == 0:
            super().save_checkpoint()
            return
        self._saved_time, self._is_saved = self._clock(), True
