"""Muon on a network that is cut: a matrix comes together in one rank, is turned there, and goes back in parts.

Ranks take turns, so that each turns its share of the matrices and holds one of them at a time (the way of Jordan et al.
2024, https://kellerjordan.github.io/posts/muon/, with several GPUs).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lepton_lab.scaling.team import Collective
from lepton_lab.training.muon import Muon, orthogonal, size_of_move


class CutMuon(Muon):
    """`Muon` on this rank's parts.

    Args:
        parts: Parts of what training moves.
        weight_decay: As for `Muon`.
        edges: Parts of what is no inner matrix.
        num_rows: Length of the first axis of each part's whole, in the order of the parts.
        team: The ranks.
    """

    def __init__(
        self, parts: list[Tensor], weight_decay: float, *, edges: list[Tensor], num_rows: list[int], team: Collective
    ) -> None:
        super().__init__(parts, weight_decay, edges=edges)
        self._num_rows = {id(part): rows for part, rows in zip(parts, num_rows, strict=True)}
        self._team = team

    def _turned(self, parameters: list[Tensor], moves: list[Tensor]) -> Iterator[tuple[int, Tensor, float]]:
        size = self._team.size
        for start in range(0, len(moves), size):
            places = range(start, min(start + size, len(moves)))
            rows = [self._num_rows[id(parameters[place])] for place in places]
            own = None
            for keeper, (place, num_rows) in enumerate(zip(places, rows, strict=True)):
                parts = self._team.bring(self._padded(moves[place], num_rows), keeper)
                if parts is not None:
                    own = orthogonal(torch.cat(parts)[:num_rows].flatten(1)[None])[0]
            for keeper, (place, num_rows) in enumerate(zip(places, rows, strict=True)):
                share = self._padded(moves[place], num_rows)
                dealt = None
                if self._team.rank == keeper:
                    assert own is not None
                    dealt = [self._padded(each, num_rows) for each in self._shares(own, share)]
                turned = self._team.deal(share, dealt, keeper)[: len(moves[place])]
                width = share[0].numel()
                yield place, turned.view_as(moves[place]), size_of_move(num_rows, width)

    def _shares(self, turned: Tensor, share: Tensor) -> list[Tensor]:
        """The ranks' rows (S, ...) of a matrix that was turned (R, C)."""
        rows = turned.view(len(turned), *share.shape[1:])
        return [rows[rank * len(share) : (rank + 1) * len(share)] for rank in range(self._team.size)]

    def _padded(self, rows: Tensor, num_rows: int) -> Tensor:
        """A rank's rows with zeros behind them, so that all ranks have as many."""
        padded = rows.new_zeros((-(-num_rows // self._team.size), *rows.shape[1:]))
        padded[: len(rows)] = rows
        return padded
