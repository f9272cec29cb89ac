"""Sums through memory that the ranks of one host share: tens of microseconds, where a socket takes hundreds.

A small network's step is a few milliseconds, and its batch norms need a dozen small sums in it. Each rank writes into
a slot of its own and then the number of the exchange beside it; when all numbers are there, each adds up all slots, in
the same order. Slots are used in turn: who begins exchange k + 2 has seen everybody's number k + 1, and who wrote that
had read exchange k.

That a number is seen after what was written before it holds on x86 processors alone, so others keep to gloo.
"""

from __future__ import annotations

import mmap
import os
import platform
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lepton_lab.scaling.team import Collective, Team

LINE_BYTES = 64
"""Numbers stand in cache lines of their own."""

BUSY_LOOKS, POLITE_LOOKS = 400, 2000
"""So often a waiting rank looks at once, then so often after letting others run; then it sleeps in between."""

FIRST_NAP_SECONDS, LONGEST_NAP_SECONDS = 5e-5, 5e-3
DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


MOST_NUMBERS = 1 << 23
"""Larger sums are a matter of bandwidth, and each of the slots would take much memory."""


def suits_this_machine() -> bool:
    """Whether there is such memory, and the processor shows writes in the order in which they were made."""
    return hasattr(os, "memfd_create") and platform.machine().lower() in ("x86_64", "amd64")


class SharedMemory:
    """A team that adds up through shared memory; all else, and what does not fit, goes the base's way.

    Args:
        base: The same ranks over gloo.
        num_bytes: The largest sum.

    Raises:
        OSError: There is not so much shared memory; all ranks raise it.
    """

    def __init__(self, base: Collective, num_bytes: int) -> None:
        self._base, self.rank, self.size = base, base.rank, base.size
        self._slot_bytes = -(-num_bytes // 4096) * 4096
        head = -(-self.size * LINE_BYTES // 4096) * 4096
        self._memory = _mapped(base, head + 2 * self.size * self._slot_bytes)
        self._numbers = memoryview(self._memory)[:head].cast("q")
        self._places = [rank * LINE_BYTES // 8 for rank in range(self.size)]
        self._others = [place for rank, place in enumerate(self._places) if rank != self.rank]
        self._number = 0
        slots = np.frombuffer(self._memory, np.uint8, 2 * self.size * self._slot_bytes, head)
        self._slots = {dtype: slots.view(name).reshape(2, self.size, -1) for dtype, name in DTYPES.items()}

    def sum(self, numbers: Tensor) -> Tensor:
        """As `Team.sum`."""
        slot = self._exchanged(numbers)
        if slot is None:
            return self._base.sum(numbers)
        total = slot[0] + slot[1]
        for other in range(2, self.size):
            total += slot[other]
        return torch.from_numpy(total).view(numbers.shape)

    def stack(self, numbers: Tensor) -> Tensor:
        """As `Team.stack`."""
        slot = self._exchanged(numbers)
        return self._base.stack(numbers) if slot is None else torch.from_numpy(slot)

    def _exchanged(self, numbers: Tensor) -> NDArray[Any] | None:
        """Every rank's numbers (R, N), until the exchange after the next; None where they do not fit."""
        count = numbers.numel()
        slots = self._slots.get(numbers.dtype)
        if slots is None or numbers.device.type != "cpu" or count > slots.shape[2]:
            return None
        self._number += 1
        slot = slots[self._number % 2]
        slot[self.rank, :count] = numbers.detach().reshape(-1).numpy()
        self._numbers[self._places[self.rank]] = self._number
        self._await()
        return slot[:, :count]

    def _await(self) -> None:
        numbers, number = self._numbers, self._number
        for place in self._others:
            looks, nap = 0, FIRST_NAP_SECONDS
            while numbers[place] < number:
                looks += 1
                if looks <= BUSY_LOOKS:
                    continue
                if looks <= POLITE_LOOKS:
                    os.sched_yield()
                    continue
                time.sleep(nap)
                nap = min(LONGEST_NAP_SECONDS, nap * 1.1)

    def tell(self, value: Any) -> Any:
        """As `Team.tell`."""
        return self._base.tell(value)

    def gather(self, value: Any) -> list[Any]:
        """As `Team.gather`."""
        return self._base.gather(value)

    def wait(self) -> None:
        """As `Team.wait`."""
        self._base.wait()

    def leave(self) -> None:
        """As `Team.leave`."""
        self._base.leave()


def _mapped(base: Collective, num_bytes: int) -> mmap.mmap:
    """So many zeros in the memory of every rank; nothing of it is left when the last rank is gone."""
    file, trouble = -1, None
    if base.rank == 0:
        try:
            file = os.memfd_create("lepton-sums", os.MFD_CLOEXEC)
            os.posix_fallocate(file, 0, num_bytes)
        except OSError as error:
            trouble = str(error)
    path, trouble = base.tell((f"/proc/{os.getpid()}/fd/{file}", trouble))
    memory = None
    if trouble is None:
        try:
            with open(path, "r+b") as shared:
                memory = mmap.mmap(shared.fileno(), num_bytes)
        except OSError as error:
            trouble = str(error)
    troubles = [each for each in base.gather(trouble) if each is not None]
    if file >= 0:
        os.close(file)
    if memory is None or troubles:
        raise OSError(troubles[0])
    return memory


def quickest(base: Collective, num_numbers: int) -> Team:
    """The quickest team for sums of so many float32 numbers at most: shared memory where that is possible.

    All ranks call this.
    """
    if not base.is_one_host or not suits_this_machine() or num_numbers > MOST_NUMBERS:
        return base
    try:
        return SharedMemory(base, 4 * num_numbers)
    except OSError:
        return base
