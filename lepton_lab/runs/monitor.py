"""What the machine and the runs on it use: sampled by the supervisor while anything is at work, kept in bounded files.

| file | a line |
|---|---|
| `supervisor/monitor.jsonl` | one sample of the machine and of all runs at work |
| `runs/<id>/monitor.jsonl` | one sample of that run |

What a run uses on the hosts of a cluster its worker keeps in `runs/<id>/far.json`; the samples of the run have it, too.

A file that has grown to its limit is thinned: of its older two thirds every second sample goes. So the last minutes
are there in full, and the beginning still stands after a week.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import read_json, write_bytes, write_json
from lepton_lab.runs.gpus import Gpus
from lepton_lab.runs.paths import Store

MONITOR_FILE, FAR_FILE = "monitor.jsonl", "far.json"
EVERY_SECONDS = 2.0
_FAR_SECONDS = 15.0
"""How long it is believed what a run uses elsewhere."""
STORE_LIMIT_BYTES, RUN_LIMIT_BYTES = 512_000, 128_000

Sample = dict[str, Any]


class Monitor:
    """Takes the samples.

    Args:
        store: The store.
        clock: Monotonic seconds.
        wall: Unix seconds, for the samples' dates.
        gpus: The GPUs, as their driver tells.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        gpus: Gpus | None = None,
    ) -> None:
        self._store, self._clock, self._wall = store, clock, wall
        self._gpus = gpus or Gpus()
        self._due = 0.0
        self._used: dict[int, tuple[float, float]] = {}
        """By process: when it was last looked at, and the processor seconds that it had used by then."""
        psutil.cpu_percent(None)  # the first call measures from here

    def tick(self, at_work: Mapping[str, tuple[int, dict[str, Any]]]) -> Sample | None:
        """Takes a sample if it is time for one and anything is at work.

        Args:
            at_work: Of each run at work its process, and what else to note of it (its speed, say).

        Returns:
            The sample, or None.
        """
        now = self._clock()
        if not at_work or now < self._due:
            return None
        self._due = now + EVERY_SECONDS
        sample = {"time": round(self._wall(), 2), **machine(self._store.root), "gpus": self._gpus.read(), "runs": {}}
        on_gpu = self._gpus.memory_by_process() if sample["gpus"] else {}
        for run_id, (pid, noted) in at_work.items():
            of_run = {**_together(self._process(pid, now, on_gpu), self._far(run_id)), **noted}
            sample["runs"][run_id] = of_run
            append(self._store.runs_dir / run_id / MONITOR_FILE, {"time": sample["time"], **of_run}, RUN_LIMIT_BYTES)
        append(self._store.supervisor_dir / MONITOR_FILE, sample, STORE_LIMIT_BYTES)
        pids = {pid for pid, _ in at_work.values()}
        self._used = {pid: used for pid, used in self._used.items() if pid in pids}
        return sample

    def _far(self, run_id: str) -> Sample:
        """What a run uses on other hosts."""
        path = self._store.runs_dir / run_id / FAR_FILE
        try:
            found: Sample = read_json(path) if path.exists() else {}
            is_fresh = abs(self._wall() - found.pop("time", 0.0)) < _FAR_SECONDS
            return {name: float(value) for name, value in found.items()} if is_fresh else {}
        except (StoreError, TypeError, ValueError, AttributeError):
            return {}

    def _process(self, pid: int, now: float, on_gpu: Mapping[int, int]) -> Sample:
        """A worker with its children: cores in use since the last look, memory."""
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.Error:
            return {}
        memory, seconds = 0, 0.0
        for process in family:
            try:
                memory += process.memory_info().rss
                seconds += sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
        before = self._used.get(pid)
        self._used[pid] = (now, seconds)
        found: Sample = {"memory_bytes": memory}
        if before is not None and now > before[0]:
            found["cpu_cores"] = round(max(0.0, seconds - before[1]) / (now - before[0]), 3)
        gpu_memory = sum(on_gpu.get(process.pid, 0) for process in family)
        return {**found, "gpu_memory_bytes": gpu_memory} if gpu_memory else found


def write_far_use(run_dir: Path, used: Mapping[str, float], wall: Callable[[], float] = time.time) -> None:
    """Notes what a run uses on other hosts now: `{"cpu_cores", "memory_bytes", "gpu_memory_bytes"}`, best effort."""
    with suppress(StoreError):
        write_json(run_dir / FAR_FILE, {"time": round(wall(), 2), **used}, durable=False)


def _together(near: Sample, far: Sample) -> Sample:
    return {name: near.get(name, 0) + far.get(name, 0) for name in (near | far)} if far else near


def machine(folder: Path) -> Sample:
    """What the machine uses now; the disk is that of a folder. The processor's share is since the last call."""
    memory = psutil.virtual_memory()
    found: Sample = {
        "cpu_fraction": round(psutil.cpu_percent(None) / 100, 3),
        "num_cores": psutil.cpu_count() or 1,
        "memory_used_bytes": memory.total - memory.available,
        "memory_total_bytes": memory.total,
    }
    try:
        disk = psutil.disk_usage(str(folder))
        found |= {"disk_free_bytes": disk.free, "disk_total_bytes": disk.total}
    except OSError:
        pass  # the folder is gone; the rest is still worth knowing
    return found


def read_monitor(store: Store, since: float = 0.0) -> list[Sample]:
    """The samples of a store, oldest first.

    Args:
        store: The store.
        since: Only samples after this time, in unix seconds.

    Returns:
        `{"time", "cpu_fraction", "num_cores", "memory_used_bytes", "memory_total_bytes", "disk_free_bytes",
        "disk_total_bytes", "gpus": [...], "runs": {run_id: as of read_run_monitor}}` each; `gpus` as of `Gpus.read`.
    """
    return _read(store.supervisor_dir / MONITOR_FILE, since)


def read_run_monitor(store: Store, run_id: str, since: float = 0.0) -> list[Sample]:
    """The samples of one run, oldest first.

    Returns:
        `{"time", "memory_bytes", "cpu_cores" (cores in use), "gpu_memory_bytes", "samples_per_second",
        "waiting_fraction", "slot"}` each, without what was not known.
    """
    return _read(store.run_dir(run_id) / MONITOR_FILE, since)


def append(path: Path, sample: Sample, limit_bytes: int) -> None:
    """Adds a line, and thins the file where it has grown too large. A disk that does not take it costs a sample."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, json.dumps(sample, separators=(",", ":")).encode() + b"\n")
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        if size > limit_bytes:
            _thin(path)
    except (OSError, StoreError):
        return


def _thin(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    older = 2 * len(lines) // 3
    write_bytes(path, b"".join([*lines[:older:2], *lines[older:]]), durable=False)


def _read(path: Path, since: float) -> list[Sample]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            sample = json.loads(line)
            if sample["time"] > since:
                found.append(sample)
        except (ValueError, KeyError, TypeError):
            continue  # a torn line
    return found
