"""A store of its own for each test."""

from __future__ import annotations

import pytest

from lepton_lab.runs import Store
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store").prepare()


@pytest.fixture
def spec():
    return RunSpec(data=DataSpec(), model=ModelSpec(), train=TrainSpec(epochs=2))
