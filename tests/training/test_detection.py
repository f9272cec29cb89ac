"""Average precision and hit rate on cases whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lepton_lab.data.targets import Target
from lepton_lab.specs import Problem
from lepton_lab.training.detection import average_precisions, overlap
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place
from lepton_lab.training.validation import score
from tests.training.test_resident import held


def boxes(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows) if rows else torch.zeros(0, 6)


def test_overlap_of_boxes() -> None:
    one, other = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]])
    assert overlap(one, other)[0].tolist() == pytest.approx([1 / 7, 1.0, 0.0])
    assert overlap(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0.0


def test_precision_falls_with_each_false_box_before_a_right_one() -> None:
    truths = [boxes((0, 0, 4, 4, 0), (8, 8, 12, 12, 0))]
    found = [boxes((0, 0, 4, 4, 0.9, 0), (20, 20, 24, 24, 0.8, 0), (8, 8, 12, 12, 0.7, 0))]
    assert average_precisions(found, truths, 1, (0.5,))[0] == pytest.approx([0.5 + 0.5 * 2 / 3])


def test_a_box_is_found_once_and_the_second_finder_is_wrong() -> None:
    truths = [boxes((0, 0, 4, 4, 0))]
    found = [boxes((0, 0, 4, 4, 0.5, 0), (0, 0, 4, 4.2, 0.9, 0))]
    assert average_precisions(found, truths, 1, (0.5,))[0] == pytest.approx([1.0])
    nearer = average_precisions(found, truths, 1, (0.99,))[0]
    assert nearer == pytest.approx([0.5])


def test_classes_and_pictures_are_kept_apart_and_a_class_without_boxes_is_left_out() -> None:
    truths = [boxes((0, 0, 4, 4, 0)), boxes((0, 0, 4, 4, 1))]
    found = [boxes((0, 0, 4, 4, 0.9, 1)), boxes((0, 0, 4, 4, 0.9, 1))]
    first, second, third = average_precisions(found, truths, 3, (0.5,))
    assert first == [0.0] and second == pytest.approx([0.5]) and third is None


class Likes(torch.nn.Module):
    """Scores an item by how near it is to ten times the user."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        return -self.scale * (pairs[:, 1] - 10 * pairs[:, 0]).abs().float()


@pytest.mark.parametrize(("right", "hit_rate"), [(True, 1.0), (False, 0.0)])
def test_a_liked_item_is_ranked_with_ninety_nine_others(right: bool, hit_rate: float) -> None:
    users = np.arange(20)
    items = 10 * users if right else (10 * users + 500) % 1000
    problem = Problem("ranking", "interactions", (2,), (), num_users=20, num_items=1000, vocabulary=1)
    data: Any = held(np.stack([users, items], 1), items, problem)
    scores = score(Likes(), place(data, "train", torch.device("cpu")), objective_for(problem, Target("ranking")))
    assert scores.metric == pytest.approx(hit_rate, abs=0.15)
    assert scores.more["ndcg"] == pytest.approx(hit_rate, abs=0.15)
