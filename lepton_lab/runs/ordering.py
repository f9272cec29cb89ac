"""In which order waiting runs start: by priority, then fairly between people, then by place in line.

A pure function of the queue's entries, so that every viewer and the supervisor see the same order.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Sequence

from lepton_lab.runs.queue import Entry


def waiting_order(entries: Sequence[Entry]) -> list[Entry]:
    """The waiting runs in the order in which they would start.

    A higher priority goes first. Within a priority, the next is always a run of the person who has the fewest at
    work (those that would have started by then counted in); of one person's runs, the one that stands first in line.
    With one person this is the line itself.

    Args:
        entries: All of the queue, leased ones too, in line.
    """
    at_work: dict[str | None, float] = defaultdict(float)
    lines: dict[int, dict[str | None, deque[tuple[int, Entry]]]] = defaultdict(lambda: defaultdict(deque))
    for place, entry in enumerate(entries):
        if entry.slot is not None:
            at_work[entry.user] += entry.share * entry.devices
        else:
            lines[entry.priority][entry.user].append((place, entry))
    order: list[Entry] = []
    for priority in sorted(lines, reverse=True):
        line = lines[priority]
        heap = [(at_work[user], waiting[0][0], str(user), user) for user, waiting in line.items()]
        heapq.heapify(heap)
        while heap:
            _, _, _, user = heapq.heappop(heap)
            _, entry = line[user].popleft()
            order.append(entry)
            at_work[user] += entry.share
            if line[user]:
                heapq.heappush(heap, (at_work[user], line[user][0][0], str(user), user))
    return order


def to_preempt(entries: Sequence[Entry], slots_of: dict[str, str]) -> list[tuple[Entry, Entry]]:
    """Which runs should make room for which: pairs of a leased run and the waiting one of a higher priority.

    Each waiting run asks at most one leased run, the one of the lowest priority (of equals, the one that came last),
    on a device of the kind that it needs.

    Args:
        entries: All of the queue, in line.
        slots_of: The slot kind that each waiting run needs and cannot have now, by run: "cpu" or "cuda".
    """
    leased = [entry for entry in entries if entry.slot is not None]
    least = min((entry.priority for entry in leased), default=0)
    chosen: list[tuple[Entry, Entry]] = []
    if all(entry.priority <= least for entry in entries if entry.slot is None):
        return []
    for waiting in waiting_order(entries):
        if waiting.priority <= least:
            break  # nobody behind it in the order has a higher one
        kind = slots_of.get(waiting.run_id)
        below = [
            entry
            for entry in leased
            if kind is not None
            and entry.slot is not None
            and entry.slot.startswith(kind)
            and entry.priority < waiting.priority
            and all(entry is not given for given, _ in chosen)
        ]
        if below:
            chosen.append((min(reversed(below), key=lambda entry: entry.priority), waiting))
    return chosen
