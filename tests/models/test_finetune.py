"""Going on from weights that are there, with layers that stay as they are."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

from lepton_lab.errors import ModelError, SpecError
from lepton_lab.models.finetune import freeze, load_weights
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec
from lepton_lab.training.optimizers import AdamW
from tests.models.problems import classes

PICTURES = classes((1, 8, 8), 4)
OTHER_CLASSES = classes((1, 8, 8), 7)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of a cnn for four classes."""
    torch.manual_seed(3)
    module = build(ModelSpec(name="cnn"), PICTURES)
    shifted = {name: tensor + (0.25 if tensor.ndim else 1) for name, tensor in module.state_dict().items()}
    save_file(shifted, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_a_spec_names_the_weights_and_the_last_layer_starts_anew(weights: Path) -> None:
    torch.manual_seed(0)
    fresh = build(ModelSpec(name="cnn"), OTHER_CLASSES)
    torch.manual_seed(0)
    module = build(ModelSpec(name="cnn", weights=str(weights), freeze="stages.*"), OTHER_CLASSES)
    assert torch.equal(module.head.weight, fresh.head.weight)
    assert not torch.equal(module.stages[0][0].weight, fresh.stages[0][0].weight)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    resumed = build(ModelSpec(name="cnn", weights="/nowhere.safetensors", freeze="stages"), PICTURES, starts_anew=False)
    assert not resumed.stages[0][0].weight.requires_grad


def test_what_is_frozen_does_not_move_not_even_the_statistics_of_its_norms(weights: Path) -> None:
    module = build(ModelSpec(name="cnn", weights=str(weights), freeze="stages"), OTHER_CLASSES).train()
    module = copy.deepcopy(module).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimizer = AdamW(module.parameters(), 0.1)
    for _ in range(3):
        cross_entropy(module(torch.randn(8, 1, 8, 8)), torch.arange(8) % 7).backward()
        optimizer.step(1e-2)
        optimizer.zero_grad()
    moved = [name for name, tensor in module.state_dict().items() if not torch.equal(tensor, before[name])]
    assert moved == ["head.weight", "head.bias"]
    assert module.dropout.training and not module.stages[0][2].training


def test_what_was_taken_is_said(weights: Path) -> None:
    taken = load_weights(build(ModelSpec(name="cnn"), OTHER_CLASSES), weights)
    assert {"head.weight", "head.bias"} <= set(taken.fresh) and not taken.unused
    assert str(taken).startswith(f"{len(taken.taken)} of ") and "head.weight" in str(taken)


def test_a_prefix_of_all_names_is_passed_over(tmp_path: Path) -> None:
    module = build(ModelSpec(name="mlp"), classes((7,)))
    save_file(
        {f"module.{name}": tensor.clone() for name, tensor in module.state_dict().items()}, tmp_path / "p.safetensors"
    )
    other = build(ModelSpec(name="mlp"), classes((7,)))
    assert not load_weights(other, tmp_path / "p.safetensors").fresh
    assert torch.equal(other.head.weight, module.head.weight)


def test_files_that_are_no_weights_get_a_sentence(tmp_path: Path, weights: Path) -> None:
    module = build(ModelSpec(name="mlp", options={"hidden": 50}), classes((7,)))
    with pytest.raises(ModelError, match="no file of weights at"):
        load_weights(module, tmp_path / "absent.safetensors")
    (tmp_path / "pickled.pt").write_bytes(b"\x80\x04not safetensors at all")
    with pytest.raises(ModelError, match="expected the safetensors format"):
        load_weights(module, tmp_path / "pickled.pt")
    with pytest.raises(ModelError, match=r"Nothing in 'w\.safetensors' fits"):
        load_weights(module, weights)


def test_a_pattern_that_names_nothing_or_everything_is_refused() -> None:
    module = build(ModelSpec(name="cnn"), PICTURES)
    with pytest.raises(ModelError, match="no weight of the network is called 'stagse'"):
        freeze(module, "stagse")
    with pytest.raises(ModelError, match="leaves nothing to be learnt"):
        freeze(module, "*")
    with pytest.raises(SpecError, match="needs weights"):
        ModelSpec.parse({"name": "cnn", "freeze": "stages"})
