"""Ranking from what was liked: each liked item against items drawn at random.

Shape suffixes: B rows, M items drawn for each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from lepton_lab.training.metrics import Metric
from lepton_lab.training.objective import Objective, Scores
from lepton_lab.training.resident import Batch, Rows

if TYPE_CHECKING:
    from lepton_lab.specs.tasks import Problem

NUM_DRAWN, TOP = 99, 10
"""A liked item should stand among the first 10 when it is ranked with 99 others (He et al. 2017, arXiv 1708.05031)."""

PAIRS_PER_PASS = 1 << 16


class RankingObjective(Objective):
    """Bayesian personalised ranking (Rendle et al. 2009, arXiv 1205.2618), or each pair on its own ("bce").

    Validation draws the same items each time.
    """

    def __init__(self, problem: Problem, metric: Metric, loss: str) -> None:
        of_pairs = _bpr if loss == "bpr" else _bce
        super().__init__(problem, metric, of_pairs, of_pairs)

    def of_step(self, module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The loss () of liked pairs (B, 2) against one other item each; chance is torch's own."""
        pairs = batch.inputs[0]
        others = pairs.clone()
        others[:, 1] = self._drawn(len(pairs), pairs.device)
        scores = module(torch.cat([pairs, others])).float()
        return self._loss(scores[: len(pairs)], scores[len(pairs) :]), None

    def _drawn(self, count: int, device: torch.device) -> Tensor:
        """An item (count,) at random for each pair; of a shared batch, drawn for all of it in each process."""
        start, stop, num_rows = self.window.share if self.window is not None else (0, count, count)
        return torch.randint(0, max(1, self.problem.num_items), (num_rows,), device=device)[start:stop]

    def of_split(self, module: nn.Module, rows: Rows, *, keep: bool = True) -> Scores:
        """Share of rows whose item is among the first ten of a hundred, and the gain by its place (NDCG)."""
        generator = torch.Generator().manual_seed(0)
        loss, hits, gain = 0.0, 0.0, 0.0
        for index, batch in rows.passes(max(1, PAIRS_PER_PASS // (NUM_DRAWN + 1))):
            pairs = batch.inputs[0]
            drawn = torch.randint(0, max(1, self.problem.num_items), (len(pairs), NUM_DRAWN), generator=generator)
            items_BM = torch.cat([pairs[:, 1:], drawn.to(pairs.device)], dim=1)
            users_BM = pairs[:, :1].expand_as(items_BM)
            scores_BM = module(torch.stack([users_BM, items_BM], dim=2).flatten(0, 1)).float().view(len(pairs), -1)
            liked, others = scores_BM[:, :1], scores_BM[:, 1:]
            loss += self._plain_loss(liked.expand_as(others), others).item() * len(index)
            # An item that was drawn itself, or ties, must not count for or against it: half of the ties stand before.
            ahead = (others > liked).sum(1) + (others == liked).sum(1) / 2
            is_hit = ahead < TOP
            hits += is_hit.sum().item()
            gain += (is_hit * math.log(2) / torch.log(ahead + 2)).sum().item()
        return Scores(None, loss / len(rows), hits / len(rows), {"ndcg": gain / len(rows)})


def _bpr(liked: Tensor, others: Tensor) -> Tensor:
    return -functional.logsigmoid(liked - others).mean()


def _bce(liked: Tensor, others: Tensor) -> Tensor:
    return -(functional.logsigmoid(liked).mean() + functional.logsigmoid(-others).mean()) / 2
