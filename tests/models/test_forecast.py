"""Forecasts are made relative to the last known values, in the units of the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lepton_lab.data import load
from lepton_lab.errors import ModelError
from lepton_lab.runs import Store
from lepton_lab.specs import DataSpec
from tests.models.problems import PROBLEMS, network

SERIES = PROBLEMS["series"]


@pytest.mark.parametrize("name", ["linear", "rnn", "tcn", "cnn1d", "transformer", "mlp"])
def test_a_series_that_lies_higher_is_forecast_higher_by_as_much(name: str) -> None:
    module = network(name, "series").eval()
    windows = torch.randn(3, 36, 3)
    raised = windows + torch.tensor([10.0, -4.0, 2.5])
    torch.testing.assert_close(module(raised), module(windows) + torch.tensor([10.0, -4.0, 2.5]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["linear", "tcn"])
def test_only_the_named_columns_are_forecast(name: str) -> None:
    module = network(name, "one of the series").eval()
    windows = torch.randn(2, 36, 3)
    raised = windows + torch.tensor([0.0, 7.0, 0.0])
    torch.testing.assert_close(module(raised), module(windows) + 7.0, rtol=1e-3, atol=1e-3)
    wrong = replace(SERIES, extra={"targets": [0, 9]})
    with pytest.raises(ModelError, match="expected 3 columns between 0 and 2"):
        network("linear", wrong)


def test_the_untrained_baseline_says_that_the_last_value_goes_on() -> None:
    windows = torch.randn(2, 36, 3)
    torch.testing.assert_close(network("linear", "series")(windows), windows[:, -1:].expand(2, 8, 3))


def test_calm_windows_teach_the_baseline_as_much_as_restless_ones() -> None:
    windows, wanted = torch.randn(2, 36, 3), torch.randn(2, 8, 3)
    windows[1], wanted[1] = windows[0] * 10, wanted[0] * 10
    module = network("linear", "series")
    pulls = []
    for row in range(2):
        said = module.train()(windows)
        torch.testing.assert_close(said, module.eval()(windows))  # what is said is the same in training
        module.zero_grad()
        (said - wanted)[row].square().sum().backward()
        pulls.append(module.rest.weight.grad.clone())
    torch.testing.assert_close(*pulls)


@pytest.mark.parametrize("normalize", ["minmax", "none", "standard"])
def test_windows_of_another_scale_are_forecast_in_the_units_of_the_labels(normalize: str, tmp_path: Path) -> None:
    values = 50 + 10 * np.sin(np.arange(300) / 7)
    moments = [f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00" for hour in range(300)]
    lines = [f"{moment},{value}" for moment, value in zip(moments, values, strict=True)]
    (tmp_path / "load.csv").write_text("\n".join(["time,load", *lines]))
    spec = DataSpec(
        name=str(tmp_path / "load.csv"),
        task="forecasting",
        window=24,
        horizon=4,
        normalize=normalize,  # type: ignore
    )
    dataset = load(spec, Store(tmp_path / "home").prepare())
    module = network("linear", dataset.problem)
    windows = dataset.splits["train"].inputs.take(np.arange(5))
    said = dataset.target.restore(module(torch.from_numpy(dataset.preparation.apply(windows))).detach().numpy())
    np.testing.assert_allclose(said, np.broadcast_to(windows[:, -1:], said.shape), rtol=1e-3)
