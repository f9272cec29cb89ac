"""The detector: what its boxes mean, which places learn which box, and that it finds what it was shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lepton_lab.data import found_boxes
from lepton_lab.models.detector import _fit
from lepton_lab.specs import Problem
from lepton_lab.training.optimizers import AdamW
from tests.models.problems import BOXES, PROBLEMS, network

SQUARES = Problem("detection", "image", (1, 48, 64), (), classes=("bright", "dark"))


def squares(num_pictures: int, seed: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Pictures with a bright and a dark rectangle, and where they are."""
    generator = np.random.default_rng(seed)
    pictures, targets = np.zeros((num_pictures, 1, 48, 64), np.float32), []
    for picture in pictures:
        found = []
        for kind, (sign, first) in enumerate(((1.0, 0), (-1.0, 32))):
            width, height = generator.integers(8, 20, 2)
            left, top = first + generator.integers(0, 32 - width), generator.integers(0, 48 - height)
            picture[0, top : top + height, left : left + width] += 2 * sign
            found.append([left, top, left + width, top + height, kind])
        targets.append(torch.tensor(found, dtype=torch.float32))
    return torch.from_numpy(pictures + generator.normal(0, 0.1, pictures.shape).astype(np.float32)), targets


def test_it_learns_to_find_what_it_was_shown_in_pictures_that_it_never_saw() -> None:
    torch.set_num_threads(1)
    module = network("detector", SQUARES, width=8)
    optimizer = AdamW(module.parameters(), 0.01)
    for step in range(60):
        pictures, targets = squares(16, seed=step)
        module.loss(module(pictures), targets).backward()
        optimizer.step(4e-3)
        optimizer.zero_grad()
        if step % 10 == 9 and _hits(module) >= 20:  # of 24
            return
    raise AssertionError(f"{_hits(module)} of 24 squares were found after 60 steps")


def _hits(module: nn.Module) -> int:
    """Squares of new pictures that the surest box of their class lies on."""
    pictures, targets = squares(12, seed=10_000)
    with torch.no_grad():
        found = module.eval().decode(module(pictures))
    module.train()
    hits = 0
    for rows, truth in zip(found, targets, strict=True):
        for target in truth.numpy():
            same = rows[rows[:, 5] == target[4]][:1]
            hits += bool(len(same)) and found_boxes.overlaps(same[:, :4], target[None, :4])[0, 0] > 0.5
    return hits


def test_each_place_learns_the_smallest_box_that_has_its_middle_near_it() -> None:
    module = network("detector", "objects")
    small, large = [40.0, 20.0, 56.0, 36.0], [20.0, 0.0, 76.0, 56.0]
    owners = module._owners(torch.tensor([large, small]))
    places = module._places(torch.device("cpu"))
    inside = ((places - torch.tensor([48.0, 28.0])).abs() <= 6).all(1)
    assert inside.any() and (owners[inside] == 1).all()
    assert (owners == -1).sum() > 0.8 * len(owners)
    assert (module._owners(torch.zeros(0, 4)) == -1).all()


def test_a_box_smaller_than_a_step_still_has_a_place_and_one_without_area_has_none() -> None:
    module = network("detector", "objects")
    assert (module._owners(torch.tensor([[30.2, 30.2, 31.0, 31.0]])) == 0).any()
    assert (module._owners(torch.tensor([[30.0, 30.0, 30.0, 50.0]])) == -1).all()


@pytest.mark.parametrize("axis", [2, 3])
def test_a_picture_mirrored_in_training_is_answered_in_its_own_places(axis: int) -> None:
    module = network("detector", PROBLEMS["objects"], flip=False).eval()
    pictures = torch.nn.functional.pad(torch.randn(2, 3, 70, 90), (0, 6, 0, 26))
    module.height, module.width = 96, 96
    plain = module(pictures)
    rows = torch.tensor([True, False]).view(2, 1, 1, 1)
    turned = torch.where(rows, pictures.flip(axis), pictures)

    def changed(_: torch.Tensor) -> tuple[torch.Tensor, list[tuple[int, torch.Tensor]]]:
        return turned, [(axis, rows)]

    module._changed = changed
    module.training = True
    again = module(pictures)
    torch.testing.assert_close(again[1], plain[1])
    assert torch.isfinite(again).all()
    assert (again[0, :, 2] > again[0, :, 0]).all() and (again[0, :, 3] > again[0, :, 1]).all()


def test_the_general_overlap_is_that_of_the_paper() -> None:
    first = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 10.0]])
    second = torch.tensor([[0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0], [20.0, 0.0, 30.0, 10.0]])
    overlap, general = _fit(first, second)
    torch.testing.assert_close(overlap, torch.tensor([1.0, 1 / 3, 0.0]))
    torch.testing.assert_close(general, torch.tensor([1.0, 1 / 3, -1 / 3]))


def test_pictures_without_a_box_have_a_loss_that_can_be_learnt_from() -> None:
    module = network("detector", "objects")
    pictures = torch.randn(3, 3, 70, 90)
    lost = module.loss(module(pictures), [BOXES[1]] * 3)
    lost.backward()
    assert torch.isfinite(lost) and all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_of_two_boxes_of_a_class_that_overlap_the_surer_one_is_kept() -> None:
    found = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [1, 1, 11, 11], [40, 40, 50, 50]], np.float32)
    kept = found_boxes.keep(found, np.array([0.6, 0.9, 0.5, 0.2]), np.array([0, 0, 1, 0]), 0.5)
    assert kept.tolist() == [1, 2, 3]


def test_outputs_become_boxes_the_surest_first() -> None:
    outputs = np.full((2, 3, 6), -9.0, np.float32)
    outputs[0, :, :4] = [[0, 0, 4, 4], [8, 8, 12, 12], [8, 8, 12, 13]]
    outputs[0, 0, 4], outputs[0, 1, 5], outputs[0, 2, 5] = 0.0, 3.0, 2.0
    first, second = found_boxes.decode(outputs, confidence=0.3)
    assert first[:, :4].tolist() == [[8, 8, 12, 12], [0, 0, 4, 4]] and first[:, 5].tolist() == [1, 0]
    np.testing.assert_allclose(first[:, 4], [1 / (1 + np.exp(-3)), 0.5], rtol=1e-5)
    assert second.shape == (0, 6)
