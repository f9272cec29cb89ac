"""A small network on digits, trained once; compressed in this very process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_lab.compression.material import Material
from lepton_lab.compression.tuning import tune
from lepton_lab.data import PreparedDataset, load
from lepton_lab.models.registry import build
from lepton_lab.runs.paths import Store
from lepton_lab.specs import DataSpec, ModelSpec

MODEL = ModelSpec(name="cnn", options={"channels": 8, "stages": 2})


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return load(DataSpec(name="digits"), Store(tmp_path_factory.mktemp("compression")).prepare())


@pytest.fixture(scope="session")
def network(dataset: PreparedDataset) -> Any:
    """Trained well enough that a loss would show."""
    torch.manual_seed(0)
    fresh = build(MODEL, dataset.problem).eval()
    return tune(fresh, Material.of(fresh, dataset).without_teacher(), epochs=1, learning_rate=5e-3)


@pytest.fixture(scope="session")
def material(network: Any, dataset: PreparedDataset) -> Material:
    return Material.of(network, dataset)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "variant"
