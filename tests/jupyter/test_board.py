"""The board of many runs reads the queue once, not once for each run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_lab.jupyter.board import BoardScan
from lepton_lab.runs import Store, create_run
from lepton_lab.runs.queue import Queue
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec


def test_the_first_look_at_many_waiting_runs_reads_the_queue_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path).prepare()
    spec = RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec())
    for _ in range(5):
        Queue(store).enqueue(create_run(store, spec).run_id)
    reads, entries = [], Queue.entries
    monkeypatch.setattr(Queue, "entries", lambda queue: reads.append(1) or entries(queue))
    board = BoardScan(store).look()
    assert sorted(run["queue_position"] for run in board["runs"]) == [1, 2, 3, 4, 5]
    assert len(reads) == 1
