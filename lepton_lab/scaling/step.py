"""A step that several ranks take together: each its share of the rows, the gradients added up."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lepton_lab.scaling.chance import share_dropout
from lepton_lab.scaling.norms import share_norms
from lepton_lab.scaling.team import Share, Team, Window
from lepton_lab.training.objective import Objective
from lepton_lab.training.optimizers import Optimizer
from lepton_lab.training.plan import Plan
from lepton_lab.training.resident import Batch
from lepton_lab.training.step import NonFiniteLoss, Step, parts_of


class SharedStep(Step):
    """`Step`, by all ranks at once; see there for the other arguments.

    Loss and outputs that it returns are those of the whole batch, the same bits in every rank. So whatever is made of
    them (curves, the best epoch, a learning rate that falls) is the same everywhere without a word between the ranks.

    Args:
        team: The ranks.

    Attributes:
        calls: Set by rank 0 before a step: the ranks are to meet after it.
        is_called: Whether they are to meet now.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer, objective: Objective, plan: Plan, team: Team) -> None:
        super().__init__(module, optimizer, objective, plan)
        self._team, self.window = team, Window(team)
        self.calls = self.is_called = False
        share_norms(module, team, self.window)
        share_dropout(module, self.window)
        objective.window = self.window
        self._has_norms = any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in module.modules())

    def split(self, num_rows: int) -> bool:
        """As `Step.split`; not where norms exchange sums within a pass, which one rank cannot begin anew alone."""
        return not self._has_norms and super().split(num_rows)

    def _whole(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        return self._shared([batch], len(batch.labels))

    def _in_parts(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        num_rows = len(batch.labels)
        return self._shared(list(parts_of(batch, -(-num_rows // self.num_parts))), num_rows)

    def _shared(self, parts: list[Batch], num_rows: int) -> tuple[Tensor, Tensor | None]:
        losses, outputs = list[Tensor](), list[Tensor]()
        for part in parts:
            share = self.window.turn_to(len(part.labels))
            with self._precision():
                loss, output = self._objective.of_step(self._module, _cut(part, share))
                loss = loss * (self._weight(part, share) * len(part.labels) / num_rows)
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
            if output is not None:
                outputs.append(_placed(output.detach(), share, self._team.size))
        total_loss = self._exchange(torch.stack(losses).sum(), outputs)
        if self._looks_at_loss and not math.isfinite(total_loss.item()):
            raise NonFiniteLoss(f"the training loss became {total_loss.item()}")
        return total_loss, torch.cat(outputs) if outputs else None

    def _weight(self, part: Batch, share: Share) -> float:
        """What the mean loss of the share counts in that of the part."""
        if share.is_whole:
            return 1 / self._team.size
        return self._objective.share(part.labels, share.start, share.stop)

    def _gradients(self) -> list[Tensor]:
        """Gradients of this rank's rows, which are to be added up."""
        return [each.grad for each in self._optimizer.parameters if each.grad is not None]

    @torch.no_grad()
    def _exchange(self, loss: Tensor, outputs: list[Tensor]) -> Tensor:
        """Adds up gradients, loss, outputs and rank 0's call in one sum; returns the loss of the whole batch."""
        own = [_in_order(each) for each in self._gradients()]
        count = len(own)
        own += [loss, loss.new_tensor(float(self.calls and self._team.rank == 0)), *outputs]
        total = self._team.sum(torch.cat([each.reshape(-1).float() for each in own]))
        sums = [
            each.view(like.shape)
            for each, like in zip(total.split_with_sizes([each.numel() for each in own]), own, strict=True)
        ]
        if count:
            torch._foreach_copy_(own[:count], sums[:count])
        outputs[:] = sums[count + 2 :]
        self.is_called = bool(sums[count + 1])
        return sums[count]


def _in_order(gradient: Tensor) -> Tensor:
    """The same numbers in the order in which they lie, so that they are copied in one piece."""
    if gradient.ndim == 4 and gradient.is_contiguous(memory_format=torch.channels_last):
        return gradient.permute(0, 2, 3, 1)
    return gradient


def _cut(batch: Batch, share: Share) -> Batch:
    """The rows of a share."""
    inputs = tuple(each[share.start : share.stop] for each in batch.inputs)
    return Batch(inputs, batch.labels[share.start : share.stop])


def _placed(rows: Tensor, share: Share, size: int) -> Tensor:
    """Rows at their places in a batch of zeros, so that the ranks' sum is the batch."""
    if share.is_whole:
        return rows.float() / size
    whole = rows.new_zeros((share.num_rows, *rows.shape[1:]), dtype=torch.float32)
    whole[share.start : share.stop] = rows
    return whole
