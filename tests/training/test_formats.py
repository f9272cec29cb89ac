"""The formats of other tools hold the trained network: read back, they answer alike."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open

from lepton_lab.data import load
from lepton_lab.errors import ModelError
from lepton_lab.models.registry import build
from lepton_lab.runs.paths import Store
from lepton_lab.specs import DataSpec, ModelSpec, RunSpec, TrainSpec
from lepton_lab.training.formats import write_formats


def test_both_files_are_read_back_and_compared(tmp_path):
    dataset = load(DataSpec(name="digits"), Store(tmp_path / "store").prepare())
    spec = RunSpec(data=dataset.spec, model=ModelSpec(name="cnn", options={"channels": 8}), train=TrainSpec())
    torch.manual_seed(0)
    module = build(spec.model, dataset.problem).eval()
    report = write_formats(module, dataset, spec, tmp_path / "formats")
    assert json.loads((tmp_path / "formats" / "formats.json").read_text()) == report
    for name, about in report.items():
        assert about["largest_difference"] <= 1e-4
        assert about["bytes"] == (tmp_path / "formats" / name).stat().st_size
    with safe_open(tmp_path / "formats" / "model.safetensors", "pt") as file:
        assert RunSpec.model_validate_json(file.metadata()["spec"]) == spec
    program = torch.export.load(tmp_path / "formats" / "model.pt2").module()
    assert program(torch.zeros(5, 1, 8, 8)).shape == (5, 10)


class Branching(torch.nn.Module):
    """Its way depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(64, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(rows.flatten(1)) if rows.sum() > 0 else -self.head(rows.flatten(1))


def test_a_network_that_cannot_be_exported_says_so(tmp_path):
    dataset = load(DataSpec(name="digits"), Store(tmp_path / "store").prepare())
    spec = RunSpec(data=dataset.spec, model=ModelSpec(name="cnn"), train=TrainSpec())
    with pytest.raises(ModelError, match=r"torch\.export cannot follow"):
        write_formats(Branching().eval(), dataset, spec, tmp_path / "formats")
