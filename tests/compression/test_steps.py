"""Each step leaves the weights as it promises, and the network as good as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lepton_lab.compression.channels import Channels
from lepton_lab.compression.folding import fold_norms
from lepton_lab.compression.limit import STAGES, UNJUDGED, prune_to_the_limit
from lepton_lab.compression.material import Material
from lepton_lab.compression.pruning import KeptZeros, Pruning
from lepton_lab.compression.rounding import Rounding, best_scales
from lepton_lab.compression.sharing import Sharing, kmeans
from lepton_lab.compression.slimming import slim
from lepton_lab.compression.students import student_spec
from lepton_lab.compression.tuning import Together, matrices, tune
from lepton_lab.data.dataset import Split
from lepton_lab.errors import ModelError
from lepton_lab.specs import ModelSpec
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import evaluating, score


def accuracy(network: nn.Module, material: Material) -> float:
    with evaluating(network):
        batch = material.rows.batch(torch.arange(len(material)))
        return float((network(*batch.inputs).argmax(1) == batch.labels).float().mean())


def tuned(network, material, constraint=None, epochs=1.0):
    return tune(network, material, epochs=epochs, learning_rate=1e-3, constraint=constraint)


def test_pruning_sets_the_wanted_share_to_zero_and_keeps_the_accuracy(network, material):
    small = copy.deepcopy(network)
    tuned(small, material, Pruning(small, 0.7))
    large = [weight for weight in matrices(small).values() if weight.numel() >= 512]
    assert share_of_zeros(small) == pytest.approx(0.7, abs=0.01)
    assert all((weight != 0).any() for weight in large)
    assert accuracy(small, material) > accuracy(network, material) - 0.03


def cut(network, held, times, said):
    """What a fine-tuning does, without the fine-tuning: each stage hurts more than the one before."""
    held.settle()
    said(1.0)
    return network


def share_of_zeros(network):
    large = [weight for weight in matrices(network).values() if weight.numel() >= 512]
    return sum(int((weight == 0).sum()) for weight in large) / sum(weight.numel() for weight in large)


def test_pruning_goes_on_until_the_validation_rows_say_that_it_hurts(network, dataset):
    def reached(max_points):
        heard = []
        found = prune_to_the_limit(copy.deepcopy(network), dataset, cut, max_points, heard.append)
        assert heard == sorted(heard) and heard[-1] <= 1
        return found

    rows, objective = place(dataset, "validation", torch.device("cpu")), objective_for(dataset.problem, dataset.target)

    def lost(small):
        return 100 * (score(network, rows, objective).metric - score(small, rows, objective).metric)

    assert share_of_zeros(reached(200)) == pytest.approx(STAGES[-1], abs=0.01)
    assert share_of_zeros(reached(-100)) == pytest.approx(STAGES[0], abs=0.01)  # nothing is good enough
    some = reached(8)
    at = next(number for number, share in enumerate(STAGES) if abs(share - share_of_zeros(some)) < 0.01)
    assert 0 < at < len(STAGES) - 1 and lost(some) <= 4
    further = copy.deepcopy(some)
    Pruning(further, STAGES[at + 1]).settle()
    assert lost(further) > 4


def test_without_validation_rows_pruning_stops_at_a_fixed_share(network, dataset):
    part = dataset.splits["validation"]
    none = Split(part.inputs[:0], part.labels[:0], part.row_ids[:0])
    unjudged = copy.copy(dataset)
    unjudged.splits = {**dataset.splits, "validation": none}
    small = prune_to_the_limit(copy.deepcopy(network), unjudged, cut, 1.0, lambda share: None)
    assert share_of_zeros(small) == pytest.approx(UNJUDGED, abs=0.01)


def test_rounding_to_4_bits_leaves_at_most_15_values_a_row_and_keeps_zeros(network, material):
    small = fold_norms(copy.deepcopy(network))
    with torch.no_grad():
        for weight in matrices(small).values():
            weight[weight.abs() < weight.abs().median()] = 0
    before = {name: weight == 0 for name, weight in matrices(small).items()}
    tuned(small, material, Together(KeptZeros(small), Rounding(small, 4)))
    for name, weight in matrices(small).items():
        rows = weight.detach().reshape(len(weight), -1)
        assert all(len(row.unique()) <= 15 for row in rows)
        assert (weight[before[name]] == 0).all()
    assert accuracy(small, material) > accuracy(network, material) - 0.03


def test_scales_of_rows_have_the_least_error_of_those_tried():
    rows = torch.randn(6, 200, generator=torch.Generator().manual_seed(0))
    scales = best_scales(rows, 7)
    plain = (rows.abs().amax(1) / 7)[:, None]
    error = ((rows / scales[:, None]).round().clamp(-7, 7) * scales[:, None] - rows).square().sum()
    assert error <= ((rows / plain).round() * plain - rows).square().sum()
    assert torch.equal(scales, scales.half().float())


def test_sharing_leaves_few_values_that_were_tuned_together(network, material):
    small = fold_norms(copy.deepcopy(network))
    tuned(small, material, Sharing(small, 16))
    for name, weight in matrices(small).items():
        assert len(weight.unique()) <= 16, name
    assert accuracy(small, material) > accuracy(network, material) - 0.03


def test_kmeans_finds_the_values_that_are_there():
    values = np.repeat([-2.0, 0.5, 3.0], [10, 20, 5]) + 1e-3
    assert kmeans(values, 3) == pytest.approx([-1.999, 0.501, 3.001])
    assert len(kmeans(np.ones(50), 8)) <= 8


def test_folding_norms_changes_no_answer(network, dataset, material):
    inputs = material.rows.batch(torch.arange(16)).inputs
    folded = fold_norms(copy.deepcopy(network))
    assert torch.allclose(folded(*inputs), network(*inputs), atol=1e-4)
    kinds = [type(layer).__name__ for layer in folded.modules()]
    assert kinds.count("BatchNorm2d") < sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def test_slimming_takes_channels_out_and_the_rest_still_fits(network, material):
    small = slim(copy.deepcopy(network), material, keep=0.75)
    sizes = [sum(p.numel() for p in each.parameters()) for each in (network, small)]
    assert sizes[1] < 0.75 * sizes[0]
    tuned(small, material)
    assert accuracy(small, material) > accuracy(network, material) - 0.05


class Residual(nn.Module):
    """Two branches that are added, one that is joined, and a flat end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.branch = nn.Sequential(nn.Conv2d(16, 24, 1), nn.ReLU(), nn.Conv2d(24, 16, 1))
        self.side = nn.Conv2d(16, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear(24 * 4, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        first = self.norm(self.stem(rows)).relu()
        added = first + self.branch(first)
        return self.head(self.pool(torch.cat([added, self.side(added)], dim=1)).flatten(1))


class Reader(nn.Module):
    """A recurrent layer in both directions, and an operation that fixes what goes in."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.GRU(8, 12, batch_first=True, bidirectional=True)
        self.head = nn.Linear(24, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        said, _ = self.cells(rows.flatten(1, 2))
        return self.head(said.amax(1))


@pytest.mark.parametrize("kind", [Residual, Reader])
def test_units_that_are_tied_go_together(kind, material):
    torch.manual_seed(0)
    small = slim(kind().eval(), material, keep=0.5)
    assert small(*material.rows.batch(torch.arange(3)).inputs).shape == (3, 10)
    if kind is Residual:
        assert small.stem.out_channels == small.branch[2].out_channels == small.norm.num_features == 8
        assert small.head.in_features == (8 + 4) * 4 and small.branch[0].out_channels == 12
    else:
        assert small.cells.hidden_size == 8 or small.cells.hidden_size == 4
        assert small.head.in_features == 2 * small.cells.hidden_size


class Branching(nn.Module):
    """Its way depends on the data: nobody can follow it without running it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 10)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(rows.flatten(1)) if rows.sum() > 0 else self.head(-rows.flatten(1))


def test_a_network_that_cannot_be_followed_says_so(material):
    with pytest.raises(ModelError, match="channels cannot be followed"):
        Channels.of(Branching(), material.rows.batch(torch.arange(2)).inputs)
    assert isinstance(fold_norms(Branching()), Branching)


def test_a_student_is_the_same_network_with_narrower_layers():
    narrow = student_spec(ModelSpec(name="cnn", options={"channels": 24}), 0.5)
    assert narrow.options["channels"] == 12
    assert student_spec(ModelSpec(name="rnn"), 0.25).options["hidden"] == 24
    with pytest.raises(ModelError, match="width"):
        student_spec(ModelSpec(name="own", source="class Own: pass", class_name="Own"), 0.5)


def test_tuning_is_the_same_twice(network, material):
    first, second = (tuned(copy.deepcopy(network), material, epochs=0.1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
