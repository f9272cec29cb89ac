"""A trained network in the formats of other tools: a torch.export program and safetensors with the spec.

Each file is read back and asked about real samples; the largest difference from the trained network is written down.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from lepton_lab.errors import ModelError
from lepton_lab.models.registry import build
from lepton_lab.training.resident import place

if TYPE_CHECKING:
    from torch import nn

    from lepton_lab.data import PreparedDataset
    from lepton_lab.specs import RunSpec

PROGRAM_FILE = "model.pt2"
WEIGHTS_FILE = "model.safetensors"
REPORT_FILE = "formats.json"
NUM_SAMPLES = 64
MAX_DIFFERENCE = 1e-3
"""Largest difference of an output that rounding explains."""


def write_formats(module: nn.Module, dataset: PreparedDataset, spec: RunSpec, folder: Path) -> dict[str, Any]:
    """Writes a network as `model.pt2` and `model.safetensors`, and `formats.json` with how both compare.

    Args:
        module: The trained network, in evaluation mode on the CPU.
        dataset: What it was trained on; lends samples to check with.
        spec: The run's spec; it lies in the safetensors file's header, so that the network can be built again.
        folder: Where the files go; made where it is missing.

    Returns:
        The content of `formats.json`: bytes and largest difference of each file.

    Raises:
        ModelError: If the network cannot be exported, or what was read back does not agree with it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = next(name for name in ("test", "validation", "train") if len(dataset.splits[name]))
    rows = place(dataset, part, torch.device("cpu"), free_bytes=0)
    inputs = rows.batch(torch.arange(min(NUM_SAMPLES, len(rows)))).inputs
    with torch.inference_mode():
        expected = module(*inputs)
    if not isinstance(expected, torch.Tensor):
        raise ModelError("A network whose answer is no single tensor cannot be written in other formats.")
    report = {
        PROGRAM_FILE: _program(module, inputs, expected, folder / PROGRAM_FILE),
        WEIGHTS_FILE: _weights(module, dataset, spec, inputs, expected, folder / WEIGHTS_FILE),
    }
    (folder / REPORT_FILE).write_text(json.dumps(report, indent=1), "utf-8")
    return report


def _program(module: nn.Module, inputs: tuple[torch.Tensor, ...], expected: torch.Tensor, path: Path) -> dict[str, Any]:
    """A torch.export program with any number of rows."""
    shapes: list[dict[int, Any]] = [{0: torch.export.Dim("batch", min=1)} for _ in inputs]
    if len(inputs) > 1:
        shapes[0][1] = torch.export.Dim.DYNAMIC
    try:
        with torch.no_grad():
            program = torch.export.export(module, inputs, dynamic_shapes=tuple(shapes))
        torch.export.save(program, path)
        again = torch.export.load(path).module()
    except Exception as error:  # the exporter raises whatever the network's code raises
        first = (str(error).strip().splitlines() or [repr(error)])[0]
        raise ModelError(f"torch.export cannot follow this network: {first[:300]}") from None
    with torch.inference_mode():
        return _compared(path, again(*inputs), expected)


def _weights(
    module: nn.Module,
    dataset: PreparedDataset,
    spec: RunSpec,
    inputs: tuple[torch.Tensor, ...],
    expected: torch.Tensor,
    path: Path,
) -> dict[str, Any]:
    """The weights, with the spec in the file's header."""
    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in module.state_dict().items()}
    header = {"spec": spec.model_dump_json(), "problem": json.dumps(dataset.problem.to_dict())}
    save_file(tensors, path, metadata=header)
    again = build(spec.model, dataset.problem).eval()
    again.load_state_dict(load_file(path))
    with torch.inference_mode():
        return _compared(path, again(*inputs), expected)


def _compared(path: Path, found: torch.Tensor, expected: torch.Tensor) -> dict[str, Any]:
    difference = float((found - expected).abs().max())
    if not difference <= MAX_DIFFERENCE:
        raise ModelError(f"{path.name} differs from the trained network by {difference:.2g}; it was not kept.")
    return {"bytes": path.stat().st_size, "largest_difference": difference}
