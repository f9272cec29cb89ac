"""A file that is written tensor by tensor is read as any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lepton_lab.training.tensor_file import DTYPES, Place, in_order, write_tensors


def write_and_read(path: Path, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    places = in_order(Place(name, each.dtype, tuple(each.shape)) for name, each in tensors.items())
    write_tensors(path, places, (tensors[place.name] for place in places))
    return load_file(path)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_of_every_kind_that_safetensors_has(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.tensor([0, 1, 1, 0, 1]).to(dtype)
    read = write_and_read(tmp_path / "file", {"one": tensor, "three": torch.zeros(3)})["one"]
    assert read.dtype == dtype and torch.equal(read.view(torch.uint8), tensor.view(torch.uint8))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Of all widths, so that each has to begin at a multiple of its own; one of them is stored in another order."""
    tensors = {
        "flags": torch.tensor([True, False, True]),
        "half": torch.randn(5).bfloat16(),
        "single": torch.tensor(7.0),
        "kernel": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "count": torch.tensor(3),
        "none": torch.zeros(0, 4),
    }
    read = write_and_read(tmp_path / "file", tensors)
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], each) and read[name].dtype == each.dtype for name, each in tensors.items())
