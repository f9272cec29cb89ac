"""Losses and metrics compute what torch and scikit-learn compute."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn import functional

from lepton_lab.data.targets import Target
from lepton_lab.errors import RunFailed
from lepton_lab.specs import TASKS, Problem
from lepton_lab.training.losses import balanced_weights, count_classes, loss_for
from lepton_lab.training.metrics import metric_for

CLASSES = Problem("classification", "table", (4,), (3,))
LABELS = Problem("multilabel", "table", (4,), (3,))
VALUES = Problem("regression", "table", (4,), (2,))


def case(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def test_focal_is_cross_entropy_that_forgets_what_is_known() -> None:
    outputs, labels = case(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    each = functional.cross_entropy(outputs, labels, reduction="none")
    sure = outputs.softmax(1)[torch.arange(6), labels]
    torch.testing.assert_close(loss_for("focal", CLASSES)(outputs, labels), ((1 - sure) ** 2 * each).mean())


def test_class_weights_and_smoothing_reach_the_loss() -> None:
    outputs, labels, weights = case(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1.0, 2.0, 5.0])
    made = loss_for("cross_entropy", CLASSES, label_smoothing=0.1, class_weights=weights)
    expected = functional.cross_entropy(outputs, labels, weight=weights, label_smoothing=0.1)
    torch.testing.assert_close(made(outputs, labels), expected)
    focal = loss_for("focal", CLASSES, class_weights=weights)(outputs, labels)
    assert not torch.equal(focal, loss_for("focal", CLASSES)(outputs, labels))
    several = torch.tensor([[1.0, 0, 1], [0, 0, 1]])
    made = loss_for("bce", LABELS, class_weights=weights)
    expected = functional.binary_cross_entropy_with_logits(case(2, 3), several, pos_weight=weights)
    torch.testing.assert_close(made(case(2, 3), several), expected)


def test_focal_of_labels_is_small_where_the_answer_is_sure() -> None:
    truth = torch.tensor([[1.0, 0.0, 1.0]])
    right, wrong = torch.tensor([[9.0, -9.0, 9.0]]), torch.tensor([[-9.0, 9.0, -9.0]])
    loss = loss_for("focal", LABELS)
    assert loss(right, truth) < 1e-6 < 5 < loss(wrong, truth)


@pytest.mark.parametrize(("name", "reference"), [("mse", "mse_loss"), ("huber", "huber_loss"), ("mae", "l1_loss")])
def test_losses_of_numbers(name: str, reference: str) -> None:
    outputs, labels = case(5, 2), torch.ones(5, 2)
    expected = getattr(functional, reference)(outputs, labels)
    torch.testing.assert_close(loss_for(name, VALUES)(outputs, labels), expected)


def test_the_loss_of_tokens_is_that_of_all_tokens() -> None:
    problem = Problem("language", "text", (7,), (7, 5), vocabulary=5)
    outputs, labels = case(2, 7, 5), torch.randint(0, 5, (2, 7))
    expected = functional.cross_entropy(outputs.view(14, 5), labels.view(14))
    torch.testing.assert_close(loss_for("auto", problem)(outputs, labels), expected)


def test_a_loss_that_does_not_fit_is_refused_with_those_that_do() -> None:
    with pytest.raises(RunFailed, match="'bce' does not fit regression; choose one of: mse, huber, mae"):
        loss_for("bce", VALUES)


def test_every_task_has_its_first_loss_and_its_metric() -> None:
    for name, task in TASKS.items():
        metric = metric_for(Problem(name, "table", (4,), (3,)), Target(name))
        assert (metric.name, metric.higher_is_better) == (task.metric, task.higher_is_better)


def test_balanced_weights_let_each_class_count_the_same() -> None:
    labels = torch.tensor([0] * 8 + [1] * 2)
    counts = count_classes(labels, "classification", 2)
    assert (balanced_weights(counts, "classification") * counts).tolist() == [5.0, 5.0]
    several = torch.tensor([[1.0, 0], [1, 0], [1, 1], [0, 0]])
    weights = balanced_weights(count_classes(several, "multilabel", 2), "multilabel")
    torch.testing.assert_close(weights, torch.tensor([1 / 3, 3.0]))


def test_f1_of_all_labels_together() -> None:
    outputs, truth = case(40, 3), (case(40, 3, 1)[..., 0] > 0).float()
    metric = metric_for(LABELS, Target("multilabel"))
    assert metric.sums is not None
    value = metric.value(metric.sums(outputs, truth).sum(0).tolist(), 0.0, 40)
    assert value == pytest.approx(f1_score(truth.numpy(), (outputs > 0).numpy(), average="micro"))


def test_errors_are_in_the_units_of_the_source_and_ratings_stay_in_their_bounds() -> None:
    metric = metric_for(VALUES, Target("regression", ("a", "b"), (5.0, 0.0), (10.0, 1.0)))
    assert metric.sums is not None
    sums = metric.sums(torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2)).sum(0).tolist()
    assert metric.value(sums, 0.0, 1) == pytest.approx(5.5)
    metric = metric_for(Problem("rating", "interactions", (2,), ()), Target("rating", (), (3.0,), (2.0,), 1.0, 5.0))
    assert metric.sums is not None
    sums = metric.sums(torch.tensor([9.0, 0.0]), torch.tensor([0.0, 0.0])).sum(0).tolist()
    assert metric.value(sums, 0.0, 2) == pytest.approx(2**0.5)
