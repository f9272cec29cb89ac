"""The Open Inference Protocol, version 2: tensors as JSON, or as raw bytes behind a JSON header.

Source: the KServe "Open Inference Protocol" and Triton's "Binary Tensor Data Extension". A binary body is the JSON
header, as long as `Inference-Header-Content-Length` says, then the tensor, row-major and little-endian. It is read
in place, without a copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from lepton_lab.serving.engine import DTYPES, Inputs
from lepton_lab.serving.manifest import TensorSignature
from lepton_lab.serving.requests import (
    INLINE_BYTES,
    RequestError,
    check_finite,
    check_num_rows,
    loads,
    to_float32,
    to_int64,
)

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_ID_CHARACTERS = 256
MAX_DIMENSION = 2**31 - 1
MAX_KNOWN, MAX_KNOWN_BYTES = 32, 1024
"""How many heads are remembered, and how long each may be; each keeps a request of at most `INLINE_BYTES`."""


@dataclass(frozen=True)
class InferRequest:
    """A decoded request: prepared rows, with their lengths where they have any, and how to answer."""

    inputs: Inputs
    id: str | None
    binary: bool


def decode(
    body: bytes, header_length: bytes | None, expected: tuple[TensorSignature, ...], output: str
) -> InferRequest:
    """Reads an inference request.

    Args:
        body: The whole body.
        header_length: The value of `Inference-Header-Content-Length`, where the request has one.
        expected: The model's inputs; the first one holds the rows.
        output: The name of its one output.

    Raises:
        RequestError: 400 for what cannot be parsed, 422 for what does not fit; both name the field.
    """
    head, tail = _split(body, header_length)
    request = _object(loads(head), "body")
    found: dict[str, np.ndarray] = {}
    for number, (entry, signature) in enumerate(_entries(request, expected)):
        where = f"inputs[{number}]"
        shape = _shape(entry, signature, where)
        values, tail = _values(entry, tail, shape, signature, where)
        found[signature.name] = values.reshape(shape)
    if len(tail):
        raise RequestError(422, f"The body holds {len(tail)} bytes more than its tensors.", "inputs")
    inputs = tuple(found[signature.name] for signature in expected)
    if len({len(each) for each in inputs}) > 1:
        raise RequestError(422, "inputs have different numbers of rows; expected the same for all.", "inputs")
    return InferRequest(inputs, _id(request), _wants_binary(request, output))


class Decoder:
    """Reads the requests to one version, and remembers the JSON heads of binary ones: most clients send but one.

    Args:
        expected: The model's inputs; the first one holds the rows.
        output: The name of its one output.
    """

    def __init__(self, expected: tuple[TensorSignature, ...], output: str) -> None:
        self._expected, self._output = expected, output
        self._known: dict[bytes, InferRequest] = {}

    def decode(self, body: bytes, header_length: bytes | None) -> InferRequest:
        """Reads an inference request, as the function of this name does.

        Raises:
            RequestError: 400 for what cannot be parsed, 422 for what does not fit; both name the field.
        """
        if header_length is None or len(self._expected) > 1:
            return decode(body, header_length, self._expected, self._output)
        head, tail = _split(body, header_length)
        known = self._known.get(head)
        if known is not None and len(tail) == known.inputs[0].nbytes:
            shaped = known.inputs[0]
            values = np.frombuffer(tail, shaped.dtype).reshape(shaped.shape)
            if values.dtype.kind == "f":
                check_finite(values, "inputs[0]")
            return InferRequest((values,), known.id, known.binary)
        asked = decode(body, header_length, self._expected, self._output)
        if len(tail) == asked.inputs[0].nbytes and len(head) <= MAX_KNOWN_BYTES and len(body) <= INLINE_BYTES:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[head] = asked
        return asked


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


def _entries(
    request: dict[str, Any], expected: tuple[TensorSignature, ...]
) -> Iterator[tuple[dict[str, Any], TensorSignature]]:
    """The entry of each input, in the order of the request."""
    inputs = request.get("inputs")
    names = {signature.name: signature for signature in expected}
    if not isinstance(inputs, list) or len(inputs) != len(expected):
        given = f"{len(inputs)} tensors" if isinstance(inputs, list) else "missing or not a list"
        raise RequestError(422, f"inputs is {given}; expected {' and '.join(map(repr, names))}.", "inputs")
    for number, given in enumerate(inputs):
        where = f"inputs[{number}]"
        entry = _object(given, where)
        name = entry.get("name")
        signature = names.pop(name, None) if isinstance(name, str) else None
        if signature is None:
            wanted = " or ".join(map(repr, names)) or "no further tensor"
            raise RequestError(422, f"{where}.name is {_shown(name)}; expected {wanted}.", f"{where}.name")
        datatype = entry.get("datatype")
        if datatype != signature.datatype:
            said = f"{where}.datatype is {_shown(datatype)}; expected {signature.datatype!r}."
            raise RequestError(422, said, f"{where}.datatype")
        yield entry, signature


def _shape(entry: dict[str, Any], expected: TensorSignature, where: str) -> tuple[int, ...]:
    """The tensor's shape, if it fits the model."""
    shape, where = entry.get("shape"), f"{where}.shape"
    wanted = ["batch", *("any" if size == -1 else size for size in expected.shape[1:])]
    if not isinstance(shape, list) or not all(type(size) is int and 0 <= size <= MAX_DIMENSION for size in shape):
        raise RequestError(422, f"{where} is {_shown(shape)}; expected whole numbers {wanted}.", where)
    fits = len(shape) == len(expected.shape) and all(
        given == size or (size == -1 and given > 0) for given, size in zip(shape[1:], expected.shape[1:], strict=True)
    )
    if not fits:
        raise RequestError(422, f"{where} is {_shown(shape)}; expected {wanted}.", where)
    check_num_rows(shape[0], f"{where}[0]")
    return tuple(shape)


def _values(
    entry: dict[str, Any], tail: memoryview, shape: tuple[int, ...], expected: TensorSignature, where: str
) -> tuple[np.ndarray, memoryview]:
    """The tensor's numbers, from the JSON or from the bytes behind it, and the bytes that are left."""
    num_values, dtype = math.prod(shape), DTYPES[expected.datatype]
    size = _object(entry.get("parameters", {}), f"{where}.parameters").get("binary_data_size")
    if size is None:
        if "data" not in entry:
            raise RequestError(422, f"{where}.data is missing; expected the tensor's numbers.", f"{where}.data")
        given = entry["data"]
        values = to_int64(given, f"{where}.data") if dtype.kind == "i" else to_float32(given, f"{where}.data")
        if values.size != num_values:
            said = f"{where}.data has {values.size} numbers; its shape needs {num_values}."
            raise RequestError(422, said, f"{where}.data")
        return values, tail
    num_bytes, place = dtype.itemsize * num_values, f"{where}.parameters.binary_data_size"
    if type(size) is not int or size != num_bytes or size > len(tail):
        said = f"{place} is {_shown(size)}; its shape needs {num_bytes}, the body holds {len(tail)}."
        raise RequestError(422, said, place)
    values = np.frombuffer(tail[:size], dtype)
    return (values if dtype.kind == "i" else check_finite(values, where)), tail[size:]


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
