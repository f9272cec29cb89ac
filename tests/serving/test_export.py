"""The exported network is the trained one: same answers, any batch, recurrent layers whole."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from lepton_lab.errors import ServingError
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.engine import CHUNK_ROWS, Engine
from lepton_lab.serving.export import MAX_DIFFERENCE, OPSET, export_bundle, warm_up


class Rows(torch.nn.Module):
    """Reads a picture row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(8, 12, batch_first=True, bidirectional=True)
        self.out = torch.nn.Linear(24, 10)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(pictures[:, 0])[0][:, -1])


class Branching(torch.nn.Module):
    """Control flow that depends on the data, which torch.export cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.Linear(64, 10)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if pictures.sum() > 1e9:
            pictures = pictures * 0
        return self.out(pictures.flatten(1))


class Forgetful(torch.nn.Module):
    """Gives something else each time: no export can agree with it."""

    def __init__(self) -> None:
        super().__init__()
        self.out = torch.nn.Linear(64, 10)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.out(pictures.flatten(1)) + 5 * torch.randn(10)


def _scores(module, rows):
    with torch.inference_mode():
        return torch.softmax(module.eval()(torch.from_numpy(rows)), -1).numpy()


def test_an_lstm_stays_one_operator_and_takes_any_batch(digits, tmp_path):
    module = Rows()
    about = export_bundle(module, digits, {"run_id": "r", "model": "rnn"}, tmp_path / "b")
    assert about["opset"] == OPSET and about["exporter"] == "torch.export"
    assert about["verification"]["num_samples"] == 64
    assert about["verification"]["largest_difference"] < MAX_DIFFERENCE
    bundle = bundles.load(tmp_path / "b")
    operators = [node.op_type for node in onnx.load_model_from_string(bundle.model).graph.node]
    assert operators.count("LSTM") == 1 and "Loop" not in operators
    engine = Engine(bundle)
    rows = digits.preparation.apply(np.asarray(digits.splits["test"].inputs))
    for num_rows in (1, 2, 7, CHUNK_ROWS + 3):
        assert np.allclose(engine.run((rows[:num_rows],)), _scores(module, rows[:num_rows]), atol=1e-5)


def test_the_trained_module_is_left_as_it_was(digits, tmp_path):
    module = Rows().train()
    export_bundle(module, digits, {"run_id": "r"}, tmp_path / "b")
    assert module.training and all(weight.requires_grad for weight in module.parameters())


def test_data_dependent_code_goes_through_tracing(digits, tmp_path):
    module = Branching()
    assert export_bundle(module, digits, {"run_id": "r"}, tmp_path / "b")["exporter"] == "tracing"
    rows = digits.preparation.apply(np.asarray(digits.splits["test"].inputs[:5]))
    assert np.allclose(Engine(bundles.load(tmp_path / "b")).run((rows,)), _scores(module, rows), atol=1e-5)


def test_an_export_that_disagrees_is_no_bundle(digits, tmp_path):
    with pytest.raises(ServingError, match="differs from the trained one"):
        export_bundle(Forgetful(), digits, {"run_id": "r"}, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_table_carries_an_example_row(table_folder, table):
    manifest = bundles.load(table_folder).manifest
    assert set(manifest.example or {}) == {"age", "city"}
    assert manifest.modality == "table" and manifest.classes == tuple(table.classes)


def test_a_broken_model_or_signature_is_refused_by_the_engine(bundle_folder, tmp_path):
    bundle = bundles.load(bundle_folder)
    wrong = bundle.manifest.input.model_copy(update={"shape": (-1, 1, 9, 9)})
    changed = bundle.manifest.model_copy(update={"input": wrong})
    with pytest.raises(ServingError, match="promises"):
        Engine(bundles.write(tmp_path / "b", changed, bundle.files))


def test_the_exporter_can_be_loaded_ahead_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    warm_up()
    assert not list(tmp_path.iterdir())
