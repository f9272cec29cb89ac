"""Order and cut of the training rows."""

from __future__ import annotations

import pytest
import torch

from lepton_lab.training.sampler import Sampler

CPU = torch.device("cpu")


@pytest.mark.parametrize(("num_rows", "batch_size"), [(1294, 32), (33, 32), (5, 8), (1, 1), (64, 32)])
def test_every_row_once_an_epoch_in_steps_of_nearly_equal_size(num_rows: int, batch_size: int) -> None:
    sampler = Sampler(num_rows, batch_size, 0, CPU)
    steps = [sampler.rows(step) for step in range(sampler.steps_per_epoch)]
    assert sorted(torch.cat(steps).tolist()) == list(range(num_rows))
    sizes = {len(rows) for rows in steps}
    assert max(sizes) - min(sizes) <= 1 and max(sizes) <= batch_size


def test_epochs_and_seeds_differ() -> None:
    one, other = Sampler(50, 50, 1, CPU), Sampler(50, 50, 2, CPU)
    assert not torch.equal(one.rows(0), one.rows(1))
    assert not torch.equal(one.rows(0), other.rows(0))


def test_order_follows_from_seed_and_step_alone() -> None:
    walked, jumped = Sampler(50, 8, 3, CPU), Sampler(50, 8, 3, CPU)
    expected = [walked.rows(step).tolist() for step in range(20)]
    assert jumped.rows(17).tolist() == expected[17]
    torch.manual_seed(1)
    assert jumped.rows(4).tolist() == expected[4]


def test_rows_of_nearly_the_same_length_come_together_in_a_random_order() -> None:
    lengths = torch.randint(1, 100, (1294,), generator=torch.Generator().manual_seed(0))
    sampler = Sampler(1294, 32, 0, CPU, lengths)
    steps = [sampler.rows(step) for step in range(2 * sampler.steps_per_epoch)]
    for epoch in (steps[: sampler.steps_per_epoch], steps[sampler.steps_per_epoch :]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(1294))
    padded = sum(len(rows) * int(lengths[rows].max()) for rows in steps)
    assert padded < 1.1 * 2 * int(lengths.sum())
    longest = torch.tensor([int(lengths[rows].max()) for rows in steps[: sampler.steps_per_epoch]])
    assert not torch.equal(longest, longest.sort().values)
    assert Sampler(1294, 32, 0, CPU, lengths).rows(57).tolist() == steps[57].tolist()


def test_a_block_is_its_steps_end_to_end() -> None:
    sampler = Sampler(50, 8, 3, CPU)
    index, sizes = sampler.block(1, 2, 5)
    assert index.tolist() == torch.cat([sampler.rows(7 + step) for step in (2, 3, 4)]).tolist()
    assert sizes == [len(sampler.rows(7 + step)) for step in (2, 3, 4)]
