"""The training loop over a network that is cut: what needs the whole of it, all ranks do together."""

from __future__ import annotations

import math
from typing import Any

import torch

from lepton_lab.scaling.cut_files import write_together
from lepton_lab.scaling.cut_step import CutStep
from lepton_lab.scaling.cutting import Cutting
from lepton_lab.scaling.step import SharedStep
from lepton_lab.scaling.training import SharedTraining
from lepton_lab.training.checkpoints import are_finite
from lepton_lab.training.loop import StoppedWithin, Training

SAVE = "save"
"""Rank 0's word to the others in a meeting that a checkpoint is to be saved."""


class CutTraining(SharedTraining):
    """`SharedTraining` of a network that is cut over the ranks; see there for the other arguments.

    A checkpoint needs every rank's part, so all of them save it together: rank 0 calls for it at the time, as for a
    command, and while it looks after commands the others listen whether it says `SAVE`.

    Args:
        making: How the network is cut.
        reason: Why, where that was left to the product.
    """

    needs_all_ranks = True

    def __init__(self, *arguments: Any, making: Cutting, reason: str | None, **more: Any) -> None:
        self._cutting, self._reason = making, reason
        self._meets = False
        super().__init__(*arguments, making=making, compares=False, **more)

    def _num_exchanged(self) -> int:
        return 0

    def _make_shared_step(self) -> SharedStep:
        parts = self._parts
        needed = (parts.module, parts.optimizer, parts.objective, parts.plan, self._team)
        return CutStep(*needed, parts=self._cutting.parts)

    def _announcement(self) -> dict[str, Any]:
        told = super()._announcement()
        choices = {**told["choices"], **({"shard": f"always because {self._reason}"} if self._reason else {})}
        return {**told, "shard": True, "choices": choices}

    def _is_time_to_save(self, now: float) -> bool:
        return False  # rank 0 calls for it

    def _has_commands(self) -> bool:
        return super()._has_commands() or (self._team.rank == 0 and self._is_late())

    def _is_late(self) -> bool:
        return not self._is_saved and super()._is_time_to_save(self._clock())

    def _meet(self) -> None:
        self._meets = True
        if self._team.rank == 0:
            Training._attend(self, self._clock())
            if self._is_late() and not self._steering.stops_hard:
                self.save_checkpoint()
            self._team.tell(None)
        else:
            while self._team.tell(None) == SAVE:
                self.save_checkpoint()
        self._meets = False
        self._share_orders()

    def _attend_in_validation(self) -> None:
        """Before each pass, which all ranks make together: so all of them meet, and end together."""
        if self._team.tell(self._has_commands()):
            self._meet()
            if self._steering.stopped_by is not None:
                raise StoppedWithin

    def save_checkpoint(self) -> None:
        """As `Training.save_checkpoint`, by all ranks together."""
        if self._meets and self._team.rank == 0:
            self._team.tell(SAVE)
        Training.save_checkpoint(self)

    def _are_weights_finite(self) -> bool:
        bad = 0.0 if are_finite(self._parts.module) else 1.0
        return not self._team.sum(torch.tensor([bad])).item()

    def _write_checkpoint(self) -> int:
        content, state = self._content(), self._state()
        if self._team.rank:
            return write_together(None, content, self._parts.optimizer, self._cutting, state)
        with self._new_checkpoint() as folder:
            return write_together(folder, content, self._parts.optimizer, self._cutting, state)

    def _norms(self) -> list[float]:
        """Of what each rank has a copy of: the norms' statistics, say."""
        norms = [float(each.double().norm()) for each in self._parts.module.buffers()]
        return [norm for norm in norms if math.isfinite(norm)]
