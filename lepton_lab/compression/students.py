"""The smaller network of a distillation: the same kind with narrower layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_lab.errors import ModelError
from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem

if TYPE_CHECKING:
    from torch import nn

WIDTHS = ("channels", "hidden", "width", "embedding", "features", "dimension")
"""Options of a network that say how wide it is."""
MULTIPLE = 4


def student_spec(spec: ModelSpec, width: float) -> ModelSpec:
    """A narrower network of the same kind.

    Args:
        spec: The original network.
        width: Share of each width that is left.

    Raises:
        ModelError: If the network has no width to set.
    """
    options: dict[str, Any] = dict(spec.options)
    full = spec.options if spec.source is not None else spec.typed_options().model_dump()
    widths = {name: full[name] for name in WIDTHS if isinstance(full.get(name), int) and full[name] > MULTIPLE}
    if not widths:
        raise ModelError(
            f"distill needs a network whose width is an option ({', '.join(WIDTHS)}); {spec.name} has none. Use slim."
        )
    for name, value in widths.items():
        options[name] = max(MULTIPLE, round(value * width / MULTIPLE) * MULTIPLE)
    return spec.changed(options=options)


def student(spec: ModelSpec, width: float, problem: Problem) -> nn.Module:
    """The narrower network with fresh weights."""
    return build(student_spec(spec, width), problem)
