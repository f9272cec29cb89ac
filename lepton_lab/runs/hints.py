"""What slows a run down or endangers it, computed from what was measured while it ran.

A hint is a code with figures: a terminal says it in English, the panel in its reader's language.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lepton_lab.runs.housekeeping import human_bytes
from lepton_lab.runs.monitor import Sample, read_monitor, read_run_monitor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import RunState

WINDOW_SECONDS = 60.0
"""A hint speaks of the last minute."""
FEWEST_SAMPLES = 5
_WAITING = 0.25
_IDLE_GPU = 0.35
_BUSY_MACHINE, _STARVED = 0.9, 0.6
_SLOWER = 2.0
_FULL_MEMORY, _FULL_DISK_BYTES = 0.95, 1_000_000_000


@dataclass(frozen=True)
class Hint:
    """One hint."""

    code: str
    """What it is about: a key of `_TEXTS`."""
    values: dict[str, float]
    """Its figures; the unit stands in each name."""

    def __str__(self) -> str:
        shown = {
            name: human_bytes(int(value)) if name.endswith("_bytes") else value for name, value in self.values.items()
        }
        return _TEXTS[self.code].format(**shown)

    def to_dict(self) -> dict[str, Any]:
        """The hint as plain values, with its English text for whoever knows no other."""
        return {"code": self.code, "values": self.values, "text": str(self)}


_TEXTS = {
    "waiting_for_data": "The steps wait for data {waiting_fraction:.0%} of the time. Where the rows do not fit into "
    "memory, put them on a faster disk; else use less work per row in their preparation.",
    "idle_gpu": "The GPU is idle {idle_fraction:.0%} of the time: the steps are too small for it. A larger batch_size "
    "would fill it.",
    "crowded": "Other programs take the processor ({cpu_fraction:.0%} in use): this run gets {cpu_cores:.1f} of a "
    "core. It would be faster with fewer programs beside it.",
    "slower": "It is {times:.1f} times slower than it was ({now_per_second:.0f} instead of {before_per_second:.0f} "
    "samples a second).",
    "memory_full": "The computer's memory is nearly full ({used_bytes} of {total_bytes} in use).",
    "disk_full": "The disk is nearly full: {free_bytes} left. `runs gc` says what could go.",
}


def run_hints(store: Store, run_id: str) -> list[Hint]:
    """Hints about a run at work, the most pressing first; none about a run that is not running.

    Raises:
        UnknownName: If there is no such run.
    """
    summary = RunRecord.find(store, run_id).summary()
    if summary.state != RunState.running:
        return []
    of_run = read_run_monitor(store, run_id)
    if not of_run:
        return []
    since = of_run[-1]["time"] - WINDOW_SECONDS
    return hints(of_run, read_monitor(store, since), on_gpu=(summary.device or "").startswith("cuda"))


def hints(of_run: Sequence[Sample], of_machine: Sequence[Sample], *, on_gpu: bool) -> list[Hint]:
    """Hints from samples.

    Args:
        of_run: All samples of the run, oldest first.
        of_machine: The machine's samples of the last minute.
        on_gpu: Whether the run works on a GPU.
    """
    if not of_run or not of_machine:
        return []
    since = of_run[-1]["time"] - WINDOW_SECONDS
    recent = [sample for sample in of_run if sample["time"] > since]
    is_far = str(of_run[-1].get("slot", "")).startswith("cluster:")  # this machine's figures say nothing about it
    found = [
        _nearly_full(of_machine[-1]),
        _waiting_for_data(recent),
        _idle_gpu(of_machine, of_run[-1]) if on_gpu and not is_far else None,
        None if is_far else _crowded(recent, of_machine),
        _slower(of_run, recent),
    ]
    return [hint for hint in found if hint is not None]


def _waiting_for_data(recent: Sequence[Sample]) -> Hint | None:
    waiting = _mean(recent, "waiting_fraction")
    if waiting is None or waiting < _WAITING:
        return None
    return Hint("waiting_for_data", {"waiting_fraction": waiting})


def _idle_gpu(of_machine: Sequence[Sample], last: Sample) -> Hint | None:
    index = str(last.get("slot", "cuda:0")).rpartition(":")[2]
    shown = [
        gpu["use_fraction"]
        for sample in of_machine
        for gpu in sample.get("gpus", [])
        if index in (str(gpu["index"]), gpu.get("uuid")) and "use_fraction" in gpu
    ]
    if len(shown) < FEWEST_SAMPLES or statistics.fmean(shown) >= _IDLE_GPU:
        return None
    return Hint("idle_gpu", {"idle_fraction": 1 - statistics.fmean(shown)})


def _crowded(recent: Sequence[Sample], of_machine: Sequence[Sample]) -> Hint | None:
    cores, machine = _mean(recent, "cpu_cores"), _mean(of_machine, "cpu_fraction")
    if cores is None or machine is None or machine < _BUSY_MACHINE or cores >= _STARVED:
        return None
    return Hint("crowded", {"cpu_fraction": machine, "cpu_cores": cores})


def _slower(of_run: Sequence[Sample], recent: Sequence[Sample]) -> Hint | None:
    """A straggler: much slower now than it was over all."""
    now = _median(recent, "samples_per_second")
    before = _median(of_run[: -len(recent)] if recent else of_run, "samples_per_second")
    if now is None or before is None or before < _SLOWER * now:
        return None
    return Hint("slower", {"times": before / now, "now_per_second": now, "before_per_second": before})


def _nearly_full(machine: Sample) -> Hint | None:
    used, total = machine.get("memory_used_bytes"), machine.get("memory_total_bytes")
    if used and total and used > _FULL_MEMORY * total:
        return Hint("memory_full", {"used_bytes": used, "total_bytes": total})
    free = machine.get("disk_free_bytes")
    if free is not None and free < _FULL_DISK_BYTES:
        return Hint("disk_full", {"free_bytes": free})
    return None


def _values(samples: Sequence[Sample], name: str) -> list[float]:
    return [float(sample[name]) for sample in samples if sample.get(name) is not None]


def _mean(samples: Sequence[Sample], name: str) -> float | None:
    values = _values(samples, name)
    return statistics.fmean(values) if len(values) >= FEWEST_SAMPLES else None


def _median(samples: Sequence[Sample], name: str) -> float | None:
    values = _values(samples, name)
    return statistics.median(values) if len(values) >= FEWEST_SAMPLES else None
