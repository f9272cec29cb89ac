"""A run is finished before its bundle is written; a worker that dies in between must not cost the bundle."""

from __future__ import annotations

import os
import shutil
import signal

from lepton_lab.runs import RunRecord, Store, submit
from lepton_lab.runs.process import alive, read_identity
from lepton_lab.serving.waiting import bundle_of_run
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from tests.processes import end_processes_of
from tests.waiting import wait_until


def _types(record: RunRecord) -> list[str]:
    return [event["type"] for event in record.events()]


def test_the_bundle_of_a_run_whose_worker_died_after_training_is_written_on_demand(tmp_path):
    store = Store(tmp_path / "store").prepare()
    try:
        spec = RunSpec(data=DataSpec(), model=ModelSpec(options={"channels": 4}), train=TrainSpec(epochs=1))
        record = submit(store, spec)
        wait_until(lambda: "RunFinished" in _types(record), "the run's end", 60, 0.005)
        worker = read_identity(record.dir / "worker.json")
        os.kill(worker["pid"], signal.SIGKILL)
        wait_until(lambda: not alive(worker), "the worker's death")
        assert "BundleWritten" not in _types(record), "the kill came too late to prove anything"
        assert record.summary().state == "finished"
        shutil.rmtree(record.dir / "bundle", ignore_errors=True)  # it stands a moment before its event

        bundle = bundle_of_run(store, record.run_id, timeout_seconds=60)

        assert bundle.manifest.run_id == record.run_id
        assert _types(record)[-1] == "BundleWritten"
        assert bundle.manifest.metrics["test_accuracy"] == record.report()["accuracy"]
    finally:
        end_processes_of(store.root)
