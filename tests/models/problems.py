"""Small problems of every kind, as the data room would state them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from lepton_lab.models.probe import probe
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem, networks_for

MODALITY = {1: "table", 2: "sequence", 3: "image"}


def classes(input_shape: tuple[int, ...], num_classes: int = 4) -> Problem:
    """One class for each row; what a row is follows from its shape."""
    return Problem("classification", MODALITY[len(input_shape)], input_shape, (num_classes,))


PROBLEMS: dict[str, Problem] = {
    "pictures": Problem("classification", "image", (1, 20, 20), (4,)),
    "labelled pictures": Problem("multilabel", "image", (3, 16, 24), (5,)),
    "sounds": Problem("classification", "audio", (1, 24, 40), (4,)),
    "sequences": Problem("classification", "sequence", (18, 3), (4,)),
    "uneven sequences": Problem("classification", "sequence", (18, 3), (4,), has_lengths=True),
    "texts": Problem("classification", "text", (15,), (4,), has_lengths=True, vocabulary=60),
    "texts with letters": Problem(
        "classification", "text", (15, 6), (4,), has_lengths=True, vocabulary=60, letter_groups=40
    ),
    "a corpus": Problem("language", "text", (12,), (12, 30), vocabulary=30),
    "a table": Problem("classification", "table", (5,), (4,), cardinalities=(3, 6)),
    "numbers of a table": Problem("regression", "table", (4,), (2,)),
    "series": Problem("forecasting", "series", (36, 3), (8, 3)),
    "one of the series": Problem("forecasting", "series", (36, 3), (8, 1), extra={"targets": [1]}),
    "ratings": Problem("rating", "interactions", (2,), (), num_users=9, num_items=12),
    "things liked": Problem("ranking", "interactions", (2,), (), num_users=9, num_items=12),
    "objects": Problem("detection", "image", (3, 70, 90), (), classes=("cell", "platelet")),
}
"""Every task and modality that a built-in network is for."""

PAIRS = [(what, name) for what, problem in PROBLEMS.items() for name in networks_for(problem)]
"""Every problem with every network that suits it."""

BOXES = [
    torch.tensor([[10.0, 12.0, 40.0, 50.0, 0.0], [50.0, 5.0, 80.0, 30.0, 1.0]]),
    torch.zeros(0, 5),
    torch.tensor([[30.0, 30.0, 60.0, 60.0, 1.0], [5.0, 5.0, 5.0, 9.0, 0.0]]),
]
"""Boxes for three pictures; the second has none, the third one without an area."""


def network(name: str, what: str | Problem, **options: Any) -> nn.Module:
    """A network with the weights of seed 0."""
    problem = what if isinstance(what, Problem) else PROBLEMS[what]
    torch.manual_seed(0)
    return build(ModelSpec(name=name, options=options), problem)


def answers(problem: Problem, num_rows: int) -> Any:
    """Labels that a network could learn by heart."""
    generator = torch.Generator().manual_seed(1)
    if problem.task == "classification":
        return torch.arange(num_rows) % problem.output_shape[0]
    if problem.task == "multilabel":
        return torch.randint(0, 2, (num_rows, *problem.output_shape), generator=generator).float()
    if problem.task == "language":
        return probe(problem, num_rows)[0].roll(-1, 1)
    if problem.task == "detection":
        return [BOXES[row % len(BOXES)] for row in range(num_rows)]
    return torch.randn(num_rows, *problem.output_shape, generator=generator)


def loss(module: nn.Module, problem: Problem, rows: tuple[Tensor, ...], labels: Any) -> Tensor:
    """How wrong a network is about rows."""
    said = module(*rows)
    if problem.task != "detection" and said.ndim > 1 + len(problem.output_shape):  # members answer each for itself
        said, labels = said.flatten(0, 1), labels.repeat_interleave(said.shape[1], 0)
    if problem.task == "classification":
        return cross_entropy(said, labels)
    if problem.task == "multilabel":
        return binary_cross_entropy_with_logits(said, labels)
    if problem.task == "language":
        return cross_entropy(said.flatten(0, 1), labels.flatten())
    if problem.task == "detection":
        lost: Tensor = module.loss(said, labels)  # type: ignore[operator]
        return lost
    return mse_loss(said, labels)
