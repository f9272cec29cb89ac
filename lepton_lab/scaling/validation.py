"""A split that the ranks score together, each some of the passes over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from lepton_lab.scaling.team import Team
from lepton_lab.training.objective import Objective, Scores, rows_per_pass
from lepton_lab.training.resident import Batch, Rows
from lepton_lab.training.validation import NUM_SAMPLES, evaluating, score

PASSES_PER_RANK = 4
"""At least so many, if the rows allow it, so that no rank waits long for another one."""


def shared_score(
    team: Team,
    module: nn.Module,
    rows: Rows,
    objective: Objective,
    *,
    between: Callable[[], None],
    cut_short: type[Exception],
    evenly: bool = False,
) -> Scores | None:
    """Scores all rows of a split, which has at least one; the sums are exact, each row counts once.

    Args:
        team: The ranks; all of them call this.
        module: The network.
        rows: The split.
        objective: What is scored. One whose metric needs all rows at once is scored whole by every rank.
        between: Called before each pass.
        cut_short: What it raises to end the scoring.
        evenly: Every rank makes as many passes as any other, because a pass needs all of them: of a network that is
            cut. `between` is to end the scoring in all of them or in none then.

    Returns:
        The scores, with outputs of the first rows alone; None where a rank ended the scoring.
    """
    if type(objective) is not Objective:
        try:
            whole = score(module, rows, objective, keep=False, between=between)
        except cut_short:
            whole = None
        return None if team.sum(torch.tensor([float(whole is None)])).item() else whole
    own = torch.zeros(2 + max(1, objective.metric.num_sums), dtype=torch.float64)
    first = min(NUM_SAMPLES, len(rows))
    shown = torch.zeros(0, dtype=torch.float64)
    keeps = objective.problem.task != "language"
    try:
        with evaluating(module):
            for index, batch in _passes(team, rows, rows_per_pass(objective.problem, rows.device), evenly=evenly):
                with torch.inference_mode(mode=False):
                    between()
                if not len(index):
                    module(*batch.inputs)
                    continue
                loss, sums, outputs = objective.of_pass(module, batch)
                own[1] += loss * len(index)
                own[2:] += sums
                is_shown = index < first
                if keeps and bool(is_shown.any()):
                    shown = shown if len(shown) else torch.zeros((first, *outputs.shape[1:]), dtype=torch.float64)
                    shown[index[is_shown]] = outputs[is_shown].double().cpu()
    except cut_short:
        own[0] = 1.0
    total = team.sum(own)
    if total[0]:
        return None
    loss = float(total[1]) / len(rows)
    metric = objective.metric.value(total[2:].tolist(), loss, len(rows))
    return Scores(_together(team, shown), loss, math.nan if metric is None else metric, {})


def _passes(team: Team, rows: Rows, size: int, *, evenly: bool) -> Iterator[tuple[Tensor, Batch]]:
    """This rank's share of the passes over all rows, with the rows' numbers; alike lengths together.

    Where a rank has no rows left and others have, `evenly` adds a pass of one row that counts for nothing.
    """
    size = max(1, min(size, -(-len(rows) // (PASSES_PER_RANK * team.size))))
    order = torch.arange(len(rows)) if rows.lengths is None else rows.lengths.argsort(stable=True)
    for start in range(0, len(rows), team.size * size):
        index = order[start + team.rank * size :][:size]
        if len(index) or evenly:
            yield index, rows.batch((index if len(index) else order[:1]).to(rows.device))


def _together(team: Team, shown: Tensor) -> Tensor | None:
    """The first rows' outputs, of which each rank has some or none."""
    shape = max((tuple(each) for each in team.gather(list(shown.shape))), key=len)
    if len(shape) < 2:
        return None
    return team.sum(shown if len(shown) else torch.zeros(shape, dtype=torch.float64)).float()
