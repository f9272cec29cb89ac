"""Networks that look at training rows before the first step."""

from __future__ import annotations

import torch

from lepton_lab.models.quicknet import Quicknet
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
