"""The Open Inference Protocol, version 2: tensors as JSON, or as raw bytes behind a JSON header.

Source: the KServe "Open Inference Protocol" and Triton's "Binary Tensor Data Extension". A binary body is the JSON
header, as long as `Inference-Header-Content-Length` says, then the tensor, row-major and little-endian. It is read
in place, without a copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from lepton_lab.serving.manifest import TensorSignature
from lepton_lab.serving.requests import RequestError, check_finite, check_num_rows, loads, to_float32

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_ID_CHARACTERS = 256
MAX_DIMENSION = 2**31 - 1


@dataclass(frozen=True)
class InferRequest:
    """A decoded request: prepared rows, float32 (N, *row shape), and how to answer."""

    rows: np.ndarray
    id: str | None
    binary: bool


def decode(body: bytes, header_length: bytes | None, expected: TensorSignature, output: str) -> InferRequest:
    """Reads an inference request.

    Args:
        body: The whole body.
        header_length: The value of `Inference-Header-Content-Length`, where the request has one.
        expected: The model's one input.
        output: The name of its one output.

    Raises:
        RequestError: 400 for what cannot be parsed, 422 for what does not fit; both name the field.
    """
    head, tail = _split(body, header_length)
    request = _object(loads(head), "body")
    entry = _only_input(request, expected)
    shape = _shape(entry, expected)
    rows = _rows(entry, tail, shape, expected).reshape(shape)
    return InferRequest(rows, _id(request), _wants_binary(request, output))


def encode(
    scores: np.ndarray, request: InferRequest, *, model: str, version: int, output: str
) -> tuple[bytes, dict[str, str]]:
    """The answer's body and headers.

    Args:
        scores: float32 (N, classes).
        request: What was asked.
        model: The endpoint's name.
        version: The version that answered.
        output: The output tensor's name.
    """
    entry: dict[str, Any] = {"name": output, "datatype": "FP32", "shape": list(scores.shape)}
    answer: dict[str, Any] = {"model_name": model, "model_version": str(version), "outputs": [entry]}
    if request.id is not None:
        answer["id"] = request.id
    if not request.binary:
        entry["data"] = np.ascontiguousarray(scores).reshape(-1)
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), {"Content-Type": "application/json"}
    raw = np.ascontiguousarray(scores, "<f4").tobytes()
    entry["parameters"] = {"binary_data_size": len(raw)}
    head = orjson.dumps(answer)
    return head + raw, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}


def _split(body: bytes, header_length: bytes | None) -> tuple[bytes, memoryview]:
    """JSON header and raw tensors."""
    if header_length is None:
        return body, memoryview(b"")
    if not header_length.isdigit() or len(header_length) > 12 or int(header_length) > len(body):
        shown = header_length[:40].decode("latin-1")
        raise RequestError(
            400, f"{HEADER_LENGTH} is {shown!r}; expected at most the body's {len(body)} bytes.", HEADER_LENGTH
        )
    length = int(header_length)
    return body[:length], memoryview(body)[length:]


def _only_input(request: dict[str, Any], expected: TensorSignature) -> dict[str, Any]:
    """The entry of the one input."""
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        given = f"{len(inputs)} tensors" if isinstance(inputs, list) else "missing or not a list"
        raise RequestError(422, f"inputs is {given}; expected one tensor, {expected.name!r}.", "inputs")
    entry = _object(inputs[0], "inputs[0]")
    if entry.get("name") != expected.name:
        raise RequestError(
            422, f"inputs[0].name is {_shown(entry.get('name'))}; expected {expected.name!r}.", "inputs[0].name"
        )
    if entry.get("datatype") != expected.datatype:
        raise RequestError(
            422,
            f"inputs[0].datatype is {_shown(entry.get('datatype'))}; expected {expected.datatype!r}.",
            "inputs[0].datatype",
        )
    return entry


def _shape(entry: dict[str, Any], expected: TensorSignature) -> tuple[int, ...]:
    """The tensor's shape, if it fits the model."""
    shape = entry.get("shape")
    wanted = ["batch", *expected.shape[1:]]
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size <= MAX_DIMENSION for size in shape):
        raise RequestError(
            422, f"inputs[0].shape is {_shown(shape)}; expected whole numbers {wanted}.", "inputs[0].shape"
        )
    if tuple(shape[1:]) != expected.shape[1:]:
        raise RequestError(422, f"inputs[0].shape is {_shown(shape)}; expected {wanted}.", "inputs[0].shape")
    check_num_rows(shape[0], "inputs[0].shape[0]")
    return tuple(shape)


def _rows(entry: dict[str, Any], tail: memoryview, shape: tuple[int, ...], expected: TensorSignature) -> np.ndarray:
    """The tensor's numbers, from the JSON or from the bytes behind it."""
    num_values = math.prod(shape)
    parameters = _object(entry.get("parameters", {}), "inputs[0].parameters")
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in entry:
            raise RequestError(422, "inputs[0].data is missing; expected the tensor's numbers.", "inputs[0].data")
        values = to_float32(entry["data"], "inputs[0].data")
        if values.size != num_values:
            raise RequestError(
                422, f"inputs[0].data has {values.size} numbers; its shape needs {num_values}.", "inputs[0].data"
            )
        return values
    where = "inputs[0].parameters.binary_data_size"
    if type(size) is not int or size != 4 * num_values or size != len(tail):
        raise RequestError(
            422, f"{where} is {_shown(size)}; its shape needs {4 * num_values}, the body holds {len(tail)}.", where
        )
    return check_finite(np.frombuffer(tail, "<f4"), "inputs[0]")


def _wants_binary(request: dict[str, Any], output: str) -> bool:
    """Whether the scores go back as bytes; also checks the outputs that were asked for."""
    parameters = _object(request.get("parameters", {}), "parameters")
    default = parameters.get("binary_data_output", False) is True
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return default
    if not isinstance(outputs, list) or len(outputs) > 1:
        raise RequestError(422, f"outputs is not a list of one; expected {output!r} alone.", "outputs")
    entry = _object(outputs[0], "outputs[0]")
    if entry.get("name") != output:
        raise RequestError(
            422, f"outputs[0].name is {_shown(entry.get('name'))}; expected {output!r}.", "outputs[0].name"
        )
    own = _object(entry.get("parameters", {}), "outputs[0].parameters").get("binary_data", default)
    return own is True


def _id(request: dict[str, Any]) -> str | None:
    """The request's own id, sent back as it came."""
    value = request.get("id")
    if value is None or (isinstance(value, str) and len(value) <= MAX_ID_CHARACTERS):
        return value
    raise RequestError(422, f"id is not a text of at most {MAX_ID_CHARACTERS} characters.", "id")


def _object(value: Any, where: str) -> dict[str, Any]:
    """A JSON object; a missing one that may be left out counts as empty."""
    if value is None and where.endswith("parameters"):
        return {}
    if not isinstance(value, dict):
        raise RequestError(422, f"{where} is not a JSON object.", where)
    return value


def _shown(value: Any) -> str:
    """A given value, short enough for an error message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
