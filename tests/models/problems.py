"""Small problems of every kind, as the data room would state them."""

from __future__ import annotations

from lepton_lab.specs import Problem

MODALITY = {1: "table", 2: "sequence", 3: "image"}


def classes(input_shape: tuple[int, ...], num_classes: int = 4) -> Problem:
    """One class for each row; what a row is follows from its shape."""
    return Problem("classification", MODALITY[len(input_shape)], input_shape, (num_classes,))
