"""Rows like those of training raise no warning, others do, in plain words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from lepton_lab.errors import SpecError
from lepton_lab.runs.endpoints import summarize
from lepton_lab.runs.process import write_identity
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.drift import Drift, reference
from lepton_lab.serving.standalone import serve
from tests.serving.conftest import Served


def watching(*, shift: float = 0.0, classes: np.ndarray | None = None) -> dict:
    rng = np.random.default_rng(0)
    rows, answers = rng.normal(size=(500, 3)), np.eye(4)[rng.integers(0, 4, 500)]
    drift = Drift(reference((rows,), answers), ("a", "b", "c", "d"), ["age", "size", "<b>"])
    for _ in range(10):
        said = np.eye(4)[rng.integers(0, 4, 30) if classes is None else classes]
        drift.observe((rng.normal(size=(30, 3)) + np.array([0, shift, 0]),), said)
    return drift.report()


def test_rows_like_those_of_training_raise_no_warning():
    assert watching()["warning"] is None


def test_a_column_that_moved_is_named():
    report = watching(shift=2.0)
    assert "size are on average 2." in report["warning"] and "higher" in report["warning"] and report["inputs"] > 1.8


def test_answers_that_moved_are_named():
    report = watching(classes=np.full(30, 2))
    assert "'c' is 100% of the answers; it was 2" in report["warning"]


def test_few_rows_say_nothing():
    drift = Drift(reference((np.zeros((9, 3)),), np.eye(4)[[0] * 9]), (), [])
    drift.observe((np.ones((20, 3)),), np.eye(4)[[1] * 20])
    assert drift.report() == {"rows": 20, "warning": None}
    assert Drift(None, (), []).report()["warning"] is None


async def test_the_summary_carries_the_warning(served: Served):
    white = {"instances": [[[16] * 8] * 8] * 150}
    assert (await served.client.post("/predict", json=white)).status_code == 200
    report = served.host.active.drift.report()
    assert "differs from training" in report["warning"]
    (served.host.folder / "stats.json").write_text(json.dumps({"requests": 1, "drift": report}))
    write_identity(served.host.folder / "process.json", ready=True, version=1)
    assert summarize(served.store, "digits").message == report["warning"]


def test_a_bundle_carries_what_training_looked_like(bundle_folder, table_folder):
    for folder in (bundle_folder, table_folder):
        kept = bundles.load(folder).manifest.reference
        assert kept["rows"] > 20 and sum(kept["shares"]) == pytest.approx(1, abs=1e-3)


def test_serve_puts_a_bundle_online_until_it_is_told_to_end(bundle_folder, tmp_path):
    import httpx

    env = {**os.environ, "LEPTON_HOME": str(tmp_path), "LEPTON_IDLE_SECONDS": "1", "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "lepton_lab.cli", "serve", str(bundle_folder), "--name", "alone"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    try:
        url = process.stderr.readline().split()[-1]
        key = process.stderr.readline().split()[1]
        answer = httpx.get(f"{url}/info", headers={"X-API-Key": key}, trust_env=False, timeout=30)
        assert answer.json()["run_id"] == "digits-linear-1"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and "is down" in out
    finally:
        process.kill()
        process.wait()


def test_serve_says_what_it_does_not_understand(bundle_folder):
    for words in ([], [str(bundle_folder), "--port", "x"], [str(bundle_folder), "--host", "0.0.0.0"]):
        with pytest.raises(SpecError):
            serve(words)
