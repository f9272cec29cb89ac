"""Networks that look at training rows before the first step."""

from __future__ import annotations

import pytest
import torch

from lepton_lab.data.targets import Target
from lepton_lab.models.columns import Columns, steps_of
from lepton_lab.models.quicknet import Quicknet
from lepton_lab.specs import Problem
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import Batch
from tests.models.problems import network

USERS = torch.tensor([0, 0, 0, 0, 1, 1, 2])
ITEMS = torch.tensor([0, 1, 2, 3, 0, 1, 0])
RATINGS = torch.tensor([1.0, 1.2, 0.8, 1.1, -1.0, -0.8, 0.5])


def test_the_whitening_layer_gives_patches_equal_strength_in_all_directions() -> None:
    module = network("quicknet", "pictures")
    pictures = torch.randn(64, 1, 20, 20)
    pictures = torch.nn.functional.avg_pool2d(pictures, 3, 1, 1) * 3 + 0.5  # neighbours are alike, as in real ones
    module.get_ready(pictures)
    with torch.no_grad():
        seen = torch.nn.functional.conv2d(pictures, module.whitening.weight)
    strengths = seen.pow(2).mean((0, 2, 3))
    torch.testing.assert_close(strengths, torch.ones(8), rtol=0.05, atol=0.05)
    half = seen[:, :4].transpose(0, 1).flatten(1)
    together = half @ half.T / half.shape[1]
    torch.testing.assert_close(together, torch.eye(4), rtol=0.05, atol=0.05)
    assert not module.whitening.weight.requires_grad and module.whitening.bias.requires_grad
    assert Quicknet.ready_rows and module.ready_rows == Quicknet.ready_rows


def test_ratings_are_fitted_before_training_and_the_unknown_get_the_mean() -> None:
    module = network("factorisation", "ratings", factors=4).eval()
    before = (module(torch.stack([USERS, ITEMS], 1)) - RATINGS).pow(2).mean()
    module.get_ready(torch.stack([USERS, ITEMS], 1), RATINGS)
    with torch.no_grad():
        said = module(torch.stack([USERS, ITEMS], 1))
        unknown = module(torch.tensor([[7, 9]]))
    assert (said - RATINGS).pow(2).mean() < 0.3 * before
    assert unknown.item() == 0.0
    assert module.user_trust[0] == 4 / 6 and module.user_trust[7] == 0


def test_likings_have_no_mean_to_be_fitted_to() -> None:
    module = network("factorisation", "things liked")
    module.get_ready(torch.stack([USERS, ITEMS], 1), ITEMS)
    assert not module.user_shift.any() and module.item_trust[0] == 3 / 5


def test_steps_of_a_table_are_laid_by_its_rows_and_tell_numbers_apart() -> None:
    problem = Problem("classification", "table", (4,), (2,), extra={"numbers": [0, 2, 3]})
    columns = Columns(problem, embedding=8, num_steps=8)
    money = torch.cat([torch.zeros(900), torch.linspace(1, 50, 100)])  # most have none, a few have much
    rows = torch.stack([torch.linspace(-1, 1, 1000), torch.randint(0, 2, (1000,)).float(), money, torch.ones(1000)], 1)
    columns.get_ready(rows)
    passed = ((rows[:, [0, 2, 3], None] - columns.lows) * columns.rates).clamp(0, 1)
    torch.testing.assert_close(passed[:, 0].sum(1), 4 * (rows[:, 0] + 1), atol=1e-3, rtol=1e-3)
    assert passed[money == 0, 1].sum() == 0 and (passed[:, 1].sum(1).diff() >= 0).all()
    assert passed[-1, 1].sum() >= 4, "the few that have much are told apart too"
    assert not passed[:, 2].any(), "a column of one value tells nothing"
    assert columns(rows).shape == (1000, columns.num_features) == (1000, 4 + 3 * 8)
    assert columns.state_dict()["lows"].shape == (3, 8), "a checkpoint and the bundle know the steps"


def test_few_values_have_a_step_each_and_close_ones_no_infinite_rate() -> None:
    assert steps_of(torch.tensor([3.0, 1.0, 1.0, 2.0]), 8).tolist() == [1.0, 2.0, 3.0]
    assert 8 >= len(steps_of(torch.randn(500), 8)) - 1 >= 6
    columns = Columns(Problem("classification", "table", (1,), (2,)), embedding=8, num_steps=8)
    columns.get_ready(torch.tensor([[0.0], [1e-42], [1.0]]))
    assert columns.rates.isfinite().all() and columns(torch.tensor([[1e30], [-1e30]])).isfinite().all()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_members_learn_each_for_itself_and_answer_together(task: str) -> None:
    problem = Problem(task, "table", (5,), (3,))
    module = network("mlp", problem, members=4, hidden=16, dropout=0.0)
    rows = torch.randn(6, 5)
    labels = torch.tensor([0, 1, 2, 0, 1, 2]) if task == "classification" else torch.randn(6, 3)
    objective = objective_for(problem, Target(task, ("a", "b", "c")))
    loss, outputs = objective.of_step(module.train(), Batch((rows,), labels))
    said = module(rows)
    assert said.shape == (6, 4, 3) and outputs is not None and outputs.shape == (6, 3)
    of_each = [objective_for(problem, Target(task, ("a", "b", "c")))._loss(said[:, m], labels) for m in range(4)]
    torch.testing.assert_close(loss, torch.stack(of_each).mean())
    together = module.eval()(rows)
    wanted = said.softmax(2).mean(1).log() if task == "classification" else said.mean(1)
    torch.testing.assert_close(together, wanted)
