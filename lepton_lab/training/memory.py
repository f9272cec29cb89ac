"""How much memory this process may still take: what is free, and what its limits leave."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""Limit and use of a container's control group, versions 2 and 1."""


def free_bytes() -> int:
    """Memory that can be had: the least of what the machine, the container and this process's limits leave."""
    left = [int(psutil.virtual_memory().available), *_of_process(), *_of_groups()]
    return max(0, min(left))


def _of_process() -> list[int]:
    """What `ulimit -d` and `ulimit -v` leave of data and of address space."""
    left = []
    used = psutil.Process().memory_info()
    for kind, taken in ((resource.RLIMIT_DATA, getattr(used, "data", used.rss)), (resource.RLIMIT_AS, used.vms)):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            left.append(limit - int(taken))
    return left


def _of_groups() -> list[int]:
    left = []
    for limit, used in _GROUPS:
        try:
            left.append(int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return left
