"""Networks for language, ranking and detection: compressed, and judged by their own figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lepton_lab.compression.measure import Judge
from lepton_lab.compression.variants import Workshop
from lepton_lab.data import load
from lepton_lab.models.registry import build
from lepton_lab.runs.paths import Store
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.engine import Engine
from lepton_lab.serving.export import export_bundle
from lepton_lab.specs import CompressSpec, ModelSpec
from lepton_lab.specs.networks import default_network
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import evaluating
from tests.serving.test_answers import MAKERS

LONG = [pytest.param(task, marks=pytest.mark.slow) for task in ("language", "detection")]


@pytest.mark.parametrize("task", ["ranking", *LONG])
def test_a_variant_is_made_and_judged_by_the_tasks_own_figure(task, tmp_path):
    (tmp_path / "data").mkdir()
    dataset = load(MAKERS[task](tmp_path / "data"), Store(tmp_path / "store").prepare())
    model = ModelSpec(name=default_network(dataset.problem))
    torch.manual_seed(0)
    network = build(model, dataset.problem).eval()
    export_bundle(network, dataset, {"run_id": "r", "model": "m"}, tmp_path / "original")

    judge = Judge(dataset, network)
    original = judge.answers(Engine(bundles.load(tmp_path / "original"), threads=1))
    with evaluating(network):
        rows = place(dataset, "test", torch.device("cpu"))
        expected = objective_for(dataset.problem, dataset.target).of_split(network, rows, keep=False).metric
    assert original.metric == pytest.approx(expected, abs=0.02) and judge.quality(original, original).agreement == 1

    spec = CompressSpec(recipes="share", epochs=0.01)
    workshop = Workshop(network, model, dataset, spec, lambda what, share: None)
    workshop.write(workshop.make("share"), "share", {"run_id": "r", "model": "m"}, tmp_path / "variant")
    variant = bundles.load(tmp_path / "variant")
    found = judge.quality(judge.answers(Engine(variant, threads=1)), original)
    assert np.isfinite(found.metric) and 0 <= found.agreement <= 1
    assert variant.num_bytes < bundles.load(tmp_path / "original").num_bytes
