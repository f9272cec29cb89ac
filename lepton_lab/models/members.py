"""Several networks in one that answer together: what they say as one answer.

Shape suffixes: B rows, M members, K answers.
"""

from __future__ import annotations

from torch import Tensor

LEAST = 1e-30
"""A probability is not taken for smaller before its logarithm."""


def together(answers_BMK: Tensor, *, of_classes: bool) -> Tensor:
    """What members say together, (B, K): of classes the logarithm of their mean probability, of numbers the mean."""
    if not of_classes:
        return answers_BMK.mean(1)
    return answers_BMK.log_softmax(2).exp().mean(1).clamp(min=LEAST).log()
