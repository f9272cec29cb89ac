"""How many CPU threads a run should have: the cores that are free, one for a small network."""

from __future__ import annotations

import os

SMALL_STEP_MACS = 400_000_000
"""Below so many multiplications a step, handing work to a second thread costs more than it saves."""


def num_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def num_free_cores() -> int:
    """Cores that nobody uses at the moment, at least 1; from the load of the last minute."""
    try:
        load = os.getloadavg()[0]
    except OSError:
        return num_cores()
    return max(1, num_cores() - int(load))


def choose_threads(macs_per_step: int) -> tuple[int, str]:
    """Threads for a network that multiplies so often in a step, and why."""
    if macs_per_step < SMALL_STEP_MACS:
        return 1, f"a step of {macs_per_step / 1e6:.0f} million multiplications is too small to share"
    free = num_free_cores()
    return free, f"{free} of {num_cores()} cores are free"
