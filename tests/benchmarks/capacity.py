"""How the record of runs behaves with 10, 1,000 and 100,000 of them: `python -m tests.benchmarks.capacity [SIZE ...]`.

The code is the product's; the load is synthetic. Of the runs of a store half have finished, half wait in the queue, and
one in ten of those, a thousand at most, is at work on a slot of its own (a thousand hosts would be a thousand such
leases); their worker is this process, so that the supervisor's pool finds each of them alive. The folders of those that
do not work share their files by hard links; the queue is filled in one transaction. For each size the measure that is
furthest over its limit is named: it is the first thing that breaks.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lepton_lab.jupyter import boardnews
from lepton_lab.jupyter.board import BoardScan
from lepton_lab.runs import EventLog, Store, create_run, list_runs
from lepton_lab.runs.listing import Listing
from lepton_lab.runs.orphans import Orphans
from lepton_lab.runs.process import identity
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.queue import _READ as read_queues
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.spare import Spare
from lepton_lab.runs.workers import WorkerPool
from tests.benchmarks.stores import SPEC

SIZES = (10, 1_000, 100_000)
MOST_AT_WORK = 1_000
LINKS_PER_FILE = 10_000
SETTLED_SECONDS = 2.5
"""What was written a moment ago is not kept by the index."""
FILES = ("events.jsonl", "summary.json", "spec.json")


class Measured(NamedTuple):
    """One figure of one size."""

    what: str
    value: float
    limit: float
    unit: str


def template(store: Store, state: str) -> Path:
    """The folder of a run in some state, as the product writes it."""
    run = create_run(store, SPEC, name=f"template-{state}")
    with EventLog.open_writer(run.dir) as writer:
        if state != "queued":
            writer.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
            writer.append("RunStarted", steps_per_epoch=10, device="cpu", metric="accuracy", epochs=60)
            for epoch in range(1, 31):
                writer.append("EpochEnded", epoch=epoch, step=10 * epoch, val_accuracy=epoch / 60, val_loss=0.1)
        if state == "finished":
            writer.append("RunFinished", step=300, epoch=30.0)
    folder = store.root / f"template-{state}"
    os.rename(run.dir, folder)
    return folder


def fill(store: Store, num_runs: int) -> dict[str, int]:
    """Puts so many runs into a store, and those that live into its queue; returns how many of each kind."""
    waiting = num_runs // 2
    at_work = min(MOST_AT_WORK, max(1, waiting // 10))
    counts = {"running": at_work, "queued": waiting - at_work, "finished": num_runs - waiting}
    number, rows = 0, []
    for state, count in counts.items():
        source = template(store, state)
        for index in range(count):
            if state == "running" or index % LINKS_PER_FILE == 0:  # those at work write on
                files = _copies(source, index)
            number += 1
            folder = store.runs_dir / f"run-{number}"
            folder.mkdir()
            for file in files:
                os.link(file, folder / file.name)
            if state != "finished":
                slot = f"cpu:{index}" if state == "running" else None
                rows.append((folder.name, slot, *_worker(slot)))
    Queue(store).enqueue("first")
    with closing(sqlite3.connect(store.queue_db)) as db, db:
        db.execute("DELETE FROM queue")
        columns = "run_id, slot, pid, start_time, boot, place, user"
        many = [(*row, place, f"user-{place % 20}") for place, row in enumerate(rows, 1)]
        db.executemany(f"INSERT INTO queue ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", many)
    return counts


def _copies(source: Path, index: int) -> list[Path]:
    """The files of a template, of their own for some links."""
    folder = source.with_name(f"{source.name}-{index}")
    shutil.copytree(source, folder)
    return [folder / name for name in FILES]


def _worker(slot: str | None) -> tuple[object, object, object]:
    me = identity()
    return (None, None, None) if slot is None or me is None else (me["pid"], me["start_time"], me["boot"])


def seconds(act: Callable[[], object], repeats: int) -> float:
    """The median of some calls, in seconds of the processor: other work on the machine does not count."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def measure(num_runs: int) -> tuple[dict[str, int], list[Measured]]:
    """All figures of a store with so many runs."""
    repeats = 5 if num_runs <= 1_000 else 1
    with tempfile.TemporaryDirectory(prefix="lepton-capacity-", ignore_cleanup_errors=True) as folder:
        store = Store(folder).prepare()
        began = time.perf_counter()
        counts = fill(store, num_runs)
        print(f"{num_runs:,} runs laid out in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        time.sleep(SETTLED_SECONDS)
        queue = Queue(store)
        slots = [f"cpu:{index}" for index in range(counts["running"])]
        programs = Programs.from_environment()
        pool = WorkerPool(store, programs, slots, Spare(store, programs), lambda pid: None)
        adopted = seconds(pool.recover, 1)
        never = seconds(lambda: list_runs(store), 1)
        _forget()
        cold = seconds(lambda: list_runs(store), 1)
        warm = seconds(lambda: list_runs(store), repeats)
        _forget()
        board = BoardScan(store)
        first = seconds(lambda: json.dumps(boardnews.since(None, board.look())[1][0]), 1)
        again = seconds(lambda: board.look(roughly=True), repeats)
        shown = boardnews.since(None, board.look())[0]
        _write_on(store, counts["running"])
        news = seconds(lambda: json.dumps(boardnews.since(shown, board.look(roughly=True))[1]), 1)
        sizes = [len(json.dumps(message)) / 1e6 for message in boardnews.since(None, board.look())[1]]
        with EventLog.open_writer(store.runs_dir / f"run-{num_runs}") as writer:
            event = seconds(lambda: writer.append("MetricsRecorded", step=1, epoch=0.1, series={}), 50)
        orphans = Orphans(store, queue)
        slices, tick = 0, 0.0
        while orphans.is_due:
            slices, tick = slices + 1, max(tick, seconds(orphans.tick, 1))
        found = [
            Measured("all runs listed, the first time ever", never, 30.0, "s"),
            Measured("all runs listed, by a new process", cold, 3.0, "s"),
            Measured("all runs listed again", warm, 1.0, "s"),
            Measured("panel's server: first look and first message", first, 2.0, "s"),
            Measured("panel's server: a look when nothing has changed", again, 0.5, "s"),
            Measured("panel's server: a look after an event of each run at work, and its message", news, 0.5, "s"),
            Measured("the board's first message", sizes[0], 10.0, "MB"),
            Measured("all of the board", sum(sizes), 50.0, "MB"),
            Measured("places of all waiting runs, after a change", seconds(lambda: _places(queue), repeats), 0.5, "s"),
            Measured("a run put into the queue", seconds(lambda: queue.enqueue(f"new-{time.time_ns()}"), 5), 0.1, "s"),
            Measured("a run made", seconds(lambda: create_run(store, SPEC), 5), 0.2, "s"),
            Measured("supervisor: adopting the runs at work", adopted, 10.0, "s"),
            Measured("supervisor: one round over queue and runs at work", seconds(pool.tick, repeats), 1.0, "s"),
            Measured("supervisor: runs that ought to be queued, longest part of a look", tick, 0.2, "s"),
            Measured("an event written", event, 0.01, "s"),
        ]
    return counts, found


def _write_on(store: Store, at_work: int) -> None:
    """An event of each run at work."""
    for number in range(1, at_work + 1):
        with EventLog.open_writer(store.runs_dir / f"run-{number}") as writer:
            writer.append("EpochEnded", epoch=31, step=310, val_accuracy=0.5, val_loss=0.1)


def _forget() -> None:
    """As if this were a new process."""
    Listing._shared.clear()
    read_queues.clear()
    gc.collect()


def _places(queue: Queue) -> None:
    read_queues.clear()
    queue.positions()


def main(sizes: list[int]) -> None:
    """Prints the table of `docs/capacity.md`."""
    tables = {size: measure(size) for size in sizes}
    print("| measure | limit | " + " | ".join(f"{size:,} runs" for size in sizes) + " |")
    print("|---|---|" + "---|" * len(sizes))
    for index, (what, _, limit, unit) in enumerate(tables[sizes[0]][1]):
        values = [found[index].value for _, found in tables.values()]
        print(f"| {what} | {limit:g} {unit} | " + " | ".join(f"{value:.3g} {unit}" for value in values) + " |")
    for size, (counts, found) in tables.items():
        said = ", ".join(f"{count:,} {state}" for state, count in counts.items())
        over = sorted((each for each in found if each.value > each.limit), key=lambda each: -each.value / each.limit)
        breaks = "; ".join(f"{each.what} ({each.value / each.limit:.1f} times its limit)" for each in over)
        print(f"\n{size:,} runs ({said}): {breaks or 'nothing breaks'}.")


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or list(SIZES))
