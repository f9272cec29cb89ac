"""What an ONNX file must not do: reach for other files.

ONNX tensors may name an external file. With an absolute path, a `..` or a symlink that has read foreign files in
the past (CVE-2022-25882, CVE-2024-27318, CVE-2025-51480, CVE-2026-27489), so a bundle's model holds all of its
weights itself and every external reference is refused, before the inference engine sees the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from lepton_lab.errors import MissingExtra, ServingError

STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator sets that ONNX Runtime brings itself; anything else would need a library from somewhere."""


def check_model(content: bytes) -> None:
    """Refuses a model that is no ONNX file, that has external data, or that needs foreign operators.

    Raises:
        ServingError: With the tensor's name and what is wrong with it.
        MissingExtra: If `onnx` is not installed.
    """
    model = _parse(content)
    for tensor in _tensors(model):
        if tensor.data_location or tensor.external_data:
            raise ServingError(_external_sentence(tensor))
    foreign = {entry.domain for entry in model.opset_import} - STANDARD_DOMAINS
    local = {function.domain for function in model.functions}
    if foreign - local:
        raise ServingError(
            f"model.onnx needs operators of {', '.join(sorted(foreign - local))}; expected standard ones."
        )


def opset_of(content: bytes) -> int:
    """The version of the standard operator set that a model uses."""
    return max((entry.version for entry in _parse(content).opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _parse(content: bytes) -> Any:
    """The model's protocol buffer; parsing it loads nothing else."""
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "serve", "Deployment") from None
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:
        raise ServingError("model.onnx is not an ONNX model; export the bundle again.") from error
    if not model.graph.node:
        raise ServingError("model.onnx holds no network; export the bundle again.")
    return model


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor of a model, wherever it hides: initialisers, attributes, subgraphs, functions, sparse parts."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in (value,) if hasattr(value, "ListFields") else value:
            yield from _tensors(part)


def _external_sentence(tensor: Any) -> str:
    """Says which file a tensor wanted, and why that is refused."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    path = PurePosixPath(location.replace("\\", "/"))
    kind = "an absolute path" if path.is_absolute() else "a path with '..'" if ".." in path.parts else "another file"
    return (
        f"model.onnx keeps the tensor {tensor.name!r} in {kind} ({location!r}); "
        "a bundle's model must hold all of its weights itself."
    )
