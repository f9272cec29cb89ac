"""A store of its own for each test, and a lab whose supervisor starts toy workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_lab.runs import Store
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from tests.runs.runs_lab import Lab


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store").prepare()


@pytest.fixture
def spec():
    return RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec(epochs=2))


@pytest.fixture
def lab(store, monkeypatch):
    monkeypatch.setenv("LEPTON_WORKER_MODULE", "toy_worker")
    monkeypatch.setenv("LEPTON_SERVER_MODULE", "toy_server")
    monkeypatch.setenv("LEPTON_CPU_SLOTS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    lab = Lab(store)
    yield lab
    lab.close()
