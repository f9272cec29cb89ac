"""A few made-up rows of the form that a problem has, to try a network with before there are real ones."""

from __future__ import annotations

import torch

from lepton_lab.specs import Problem


def probe(problem: Problem, num_rows: int, *, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Random rows: normal numbers, or whole numbers in the range that the problem names.

    Args:
        problem: What a row is.
        num_rows: B.
        seed: Seed of the rows; the global random state is not touched.

    Returns:
        `(inputs,)`, or `(inputs, lengths)` where rows have lengths of their own; inputs (B, *input_shape), lengths
        int64 (B,), the first row as long as can be.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = _inputs(problem, num_rows, generator)
    if not problem.has_lengths:
        return (inputs,)
    longest = problem.input_shape[0]
    lengths = torch.randint(1, longest + 1, (num_rows,), generator=generator)
    lengths[0] = longest
    inside = torch.arange(longest) < lengths[:, None]
    return inputs * inside.view(*inside.shape, *[1] * (inputs.ndim - 2)).to(inputs.dtype), lengths


def _inputs(problem: Problem, num_rows: int, generator: torch.Generator) -> torch.Tensor:
    shape = (num_rows, *problem.input_shape)
    if problem.modality == "interactions":
        users = torch.randint(0, max(1, problem.num_users), (num_rows,), generator=generator)
        items = torch.randint(0, max(1, problem.num_items), (num_rows,), generator=generator)
        return torch.stack([users, items], dim=1)
    if problem.letter_groups:
        words = torch.randint(min(2, problem.vocabulary - 1), problem.vocabulary, (*shape[:-1], 1), generator=generator)
        inside = torch.randint(problem.letter_groups, (*shape[:-1], shape[-1] - 1), generator=generator)
        return torch.cat([words, inside], dim=-1)
    if problem.vocabulary:
        return torch.randint(min(2, problem.vocabulary - 1), problem.vocabulary, shape, generator=generator)
    inputs = torch.randn(shape, generator=generator)
    for column, cardinality in enumerate(reversed(problem.cardinalities), start=1):
        inputs[:, -column] = torch.randint(0, cardinality, (num_rows,), generator=generator).float()
    return inputs
