"""What ranks exchange: sums of numbers, and rank 0's word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(days=365)
"""A run may be paused for long. A rank that has died is seen by the agent, not by who waits for it."""


class MateLost(Exception):
    """Another rank is gone; the agent sees that too and has all of them begin again."""


@contextmanager
def _exchange() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what gloo and NCCL raise when a connection breaks
        raise MateLost(str(error)) from error


def is_lost_mate(error: BaseException) -> bool:
    """Whether an error says that another rank is gone; torch raises plain ones where a layer gathers its weights."""
    of_torch = isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())
    return isinstance(error, MateLost) or of_torch


class Team(Protocol):
    """The ranks of a run, as one of them sees them. All of them call the same methods in the same order."""

    rank: int
    size: int

    def sum(self, numbers: Tensor) -> Tensor:
        """The sum of a tensor over all ranks, in a tensor of its own; the same bits in each rank."""
        ...

    def stack(self, numbers: Tensor) -> Tensor:
        """Every rank's numbers (N,), in the order of the ranks: (R, N). To be read before the next exchange."""
        ...

    def tell(self, value: Any) -> Any:
        """Rank 0's value, which pickle can say, in each rank."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, which pickle can say, in each rank."""
        ...

    def wait(self) -> None:
        """Returns when every rank has come here."""
        ...

    def leave(self) -> None:
        """Ends the exchange."""
        ...


def backends(device: str) -> str:
    """What carries the exchange of ranks on "cpu" or "cuda"; those on GPUs exchange numbers of the CPU, too."""
    return "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"


class Collective:
    """A team over torch.distributed: gloo on the CPU, NCCL between GPUs. All methods raise MateLost.

    Args:
        rank: This process's number.
        size: How many there are.
        meeting: A file in a private folder, new for each start of the ranks.
        device: "cpu" or "cuda".
    """

    is_one_host = True
    """Whether all ranks can see one another's memory."""

    def __init__(self, rank: int, size: int, meeting: Path, device: str) -> None:
        self.rank, self.size = rank, size
        store = dist.FileStore(str(meeting), size)
        with _exchange():
            dist.init_process_group(backends(device), store=store, rank=rank, world_size=size, timeout=PATIENCE)
            self._words = _group_of_words(device)

    def sum(self, numbers: Tensor) -> Tensor:
        """As `Team.sum`."""
        total = numbers.clone()
        with _exchange():
            dist.all_reduce(total)
        return total

    def stack(self, numbers: Tensor) -> Tensor:
        """As `Team.stack`."""
        parts = [torch.empty_like(numbers) for _ in range(self.size)]
        with _exchange():
            dist.all_gather(parts, numbers)
        return torch.stack(parts)

    def bring(self, numbers: Tensor, keeper: int = 0) -> list[Tensor] | None:
        """Every rank's tensor, all of one shape, in one rank; None in the others."""
        parts = [torch.empty_like(numbers) for _ in range(self.size)] if self.rank == keeper else None
        with _exchange():
            dist.gather(numbers, parts, dst=keeper, group=self._group_for(numbers))
        return parts

    def deal(self, like: Tensor, parts: list[Tensor] | None, keeper: int) -> Tensor:
        """This rank's one of the tensors that one rank has for all of them, each of the shape of `like`."""
        part = torch.empty_like(like)
        with _exchange():
            dist.scatter(part, parts, src=keeper, group=self._group_for(like))
        return part

    def _group_for(self, numbers: Tensor) -> Any:
        return self._words if numbers.device.type == "cpu" else dist.group.WORLD

    def tell(self, value: Any) -> Any:
        """As `Team.tell`."""
        values = [value]
        with _exchange():
            dist.broadcast_object_list(values, src=0, group=self._words, device=torch.device("cpu"))
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """As `Team.gather`."""
        values = [None] * self.size
        with _exchange():
            dist.all_gather_object(values, value, group=self._words)
        return values

    def wait(self) -> None:
        """As `Team.wait`."""
        with _exchange():
            dist.all_reduce(torch.zeros(1), group=self._words)

    def leave(self) -> None:
        """As `Team.leave`."""
        with _exchange():
            dist.destroy_process_group()


class Joined(Collective):
    """A team in a process group that somebody else has begun and will end, over several hosts.

    Args:
        device: "cpu" or "cuda".
    """

    is_one_host = False

    def __init__(self, device: str) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        with _exchange():
            self._words = _group_of_words(device)

    def leave(self) -> None:
        """As `Team.leave`; the group stays."""


def _group_of_words(device: str) -> Any:
    """Words never go over NCCL, which would want them on a GPU."""
    return dist.group.WORLD if device == "cpu" else dist.new_group(backend="gloo", timeout=PATIENCE)


class Share(NamedTuple):
    """The rows of a batch that a rank takes."""

    start: int
    stop: int
    num_rows: int

    @property
    def is_whole(self) -> bool:
        """Whether every rank takes all rows, because there are fewer rows than ranks."""
        return self.stop - self.start == self.num_rows


class Window:
    """Which rows of which batch this rank has before it at the moment.

    Args:
        team: The ranks.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self.share = Share(0, 0, 0)
        self._parts: dict[tuple[int, torch.device], Tensor] = {}

    def parts(self, device: torch.device) -> Tensor:
        """Each rank's part of the rows of the batch (R, 1), which add up to 1."""
        known = self._parts.get((self.share.num_rows, device))
        if known is None:
            num_rows, size = self.share.num_rows, self._team.size
            bounds = torch.tensor([rank * num_rows // size for rank in range(size + 1)])
            known = self._parts[num_rows, device] = (bounds.diff()[:, None] / num_rows).to(device)
        return known

    def turn_to(self, num_rows: int) -> Share:
        """This rank's share of a batch: nearly equal shares, all rows where there are too few to share."""
        rank, size = self._team.rank, self._team.size
        if num_rows < size:
            self.share = Share(0, num_rows, num_rows)
        else:
            self.share = Share(rank * num_rows // size, (rank + 1) * num_rows // size, num_rows)
        return self.share
