"""Rows on the device, whole or streamed."""

from __future__ import annotations

import torch

from lepton_lab.training.resident import ResidentRows, StreamedRows, place
from tests.training.training_lab import stripes

CPU = torch.device("cpu")


def test_streamed_and_resident_rows_are_the_same() -> None:
    dataset = stripes()
    split = dataset.splits["train"]
    resident = place(split, dataset.preparation, dataset.input_shape, CPU)
    streamed = place(split, dataset.preparation, dataset.input_shape, CPU, free_bytes=0)
    assert isinstance(resident, ResidentRows) and isinstance(streamed, StreamedRows)
    index = torch.tensor([5, 0, 95])
    for one, other in ((resident.batch(index), streamed.batch(index)), (resident.span(3, 9), streamed.span(3, 9))):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(resident.batch(index)[0][0], torch.from_numpy(split.inputs[5] / 2))


def test_pictures_have_their_channels_last() -> None:
    dataset = stripes()
    for split in dataset.splits.values():
        split.inputs = split.inputs.repeat(3, axis=1)
    rows = place(dataset.splits["train"], dataset.preparation, (3, 8, 8), CPU)
    assert rows.batch(torch.arange(4))[0].is_contiguous(memory_format=torch.channels_last)
