"""Many runs are listed fast, from snapshots, without replaying them."""

from __future__ import annotations

import shutil
import time

from lepton_lab.runs import EventLog, create_run, list_runs

NUM_RUNS = 2000
LIMIT_SECONDS = 1.0
"""Processor time. The aim is 0.3 s; this leaves room for a slower machine."""


def test_two_thousand_runs(store, spec, record_property):
    run = create_run(store, spec)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", steps_per_epoch=10, device="cpu")
        for epoch in range(1, 60):
            writer.append("EpochEnded", epoch=epoch, step=10 * epoch, val_accuracy=epoch / 60, val_loss=0.1)
        writer.append("RunFinished", step=590, epoch=59.0)
    for number in range(1, NUM_RUNS):
        copy = store.runs_dir / f"copy-{number}"
        copy.mkdir()
        for name in ("events.jsonl", "summary.json"):
            shutil.copy(run.dir / name, copy / name)
    seconds = []
    for _ in range(3):
        began = time.process_time()  # not the time that other processes take
        found = list_runs(store)
        seconds.append(time.process_time() - began)
    record_property("list_seconds", min(seconds))
    assert len(found) == NUM_RUNS
    assert {each.state for each in found} == {"finished"}
    assert min(seconds) < LIMIT_SECONDS
