"""`model.packed`: an ONNX model in few bytes, and the way back to the very same tensors.

Packing is lossless. It finds the structure that pruning, weight sharing and 4-bit rounding leave in a model's
tensors: few different values (a codebook and coded indices), many zeros (their places coded), few steps of a scale in
each row (coded steps and one scale a row), whole numbers of eight bits (coded as they are), halves (two bytes each).
What has none of these is kept as it is, sorted by significance and deflated. A model is unpacked once, when a bundle
is loaded; ONNX Runtime gets plain ONNX. Layout: magic, length of the head, head (LZMA: the model without its tensors,
and one record a tensor), bodies.
"""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from typing import Any

import numpy as np

from lepton_lab.errors import MissingExtra, ServingError
from lepton_lab.serving import entropy

MAGIC = b"LPK1"
MAX_UNPACKED_BYTES = 2**31
MAX_HEAD_BYTES = 64 * 2**20
SMALLEST = 16
"""Tensors with fewer numbers stay in the model's own record."""
LARGEST_PRESENT_SHARE = 0.7
"""With fewer numbers that are not zero than this, it pays to say where the zeros are."""
ROW_STEPS = 15
"""4-bit rounding leaves at most -7 to 7 steps of a row's scale."""
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 3, "dict_size": 2**20}]
_SIZES = struct.Struct("<II")


def pack(model: bytes) -> bytes:
    """An ONNX model in few bytes.

    Args:
        model: The serialised model; its tensors lie inside it.

    Returns:
        The content of `model.packed`; `unpack` gives a model with the very same tensors.
    """
    proto = _onnx().ModelProto.FromString(model)
    strip(proto)
    records, bodies = [], []
    for position, tensor in enumerate(proto.graph.initializer):
        array = _onnx().numpy_helper.to_array(tensor)
        if array.size < SMALLEST:
            continue
        kind, body, extra = _pack_array(array)
        records.append({"at": position, "kind": kind, "bytes": len(body), "dtype": array.dtype.str, **extra})
        bodies.append(body)
        _clear(tensor)
    skeleton = proto.SerializeToString()
    head = json.dumps(records, separators=(",", ":")).encode()
    inner = _SIZES.pack(len(skeleton), len(head)) + skeleton + head
    packed_head = lzma.compress(inner, lzma.FORMAT_RAW, filters=_FILTERS)
    return b"".join([MAGIC, _SIZES.pack(len(packed_head), len(inner)), packed_head, *bodies])


def unpack(content: bytes) -> bytes:
    """The serialised ONNX model that was packed.

    Raises:
        ServingError: If the content is no packed model, is broken, or would grow beyond two gigabytes.
    """
    try:
        return _unpack(content)
    except (KeyError, TypeError, ValueError, IndexError, struct.error, lzma.LZMAError, zlib.error) as error:
        raise ServingError(f"model.packed is broken ({error}); export the bundle again.") from None


def strip(proto: Any) -> None:
    """Takes out of a model what only people read: names of nodes, notes, shapes in between; values get short names."""
    del proto.metadata_props[:]
    proto.doc_string = ""
    graph = proto.graph
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.doc_string = ""
    kept = {entry.name for entry in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}
    if not any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        names = [tensor.name for tensor in graph.initializer] + [out for node in graph.node for out in node.output]
        short = {name: f"{number:x}" for number, name in enumerate(n for n in names if n not in kept)}
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for values in (node.input, node.output):
            values[:] = [short.get(name, name) for name in values]
    for tensor in graph.initializer:
        tensor.name, tensor.doc_string = short.get(tensor.name, tensor.name), ""
        del tensor.metadata_props[:]


def _unpack(content: bytes) -> bytes:
    if content[:4] != MAGIC:
        raise ValueError("it does not begin as one")
    num_packed, num_inner = _SIZES.unpack_from(content, 4)
    start = 4 + _SIZES.size
    inner = _decompress_head(content[start : start + num_packed], num_inner)
    num_skeleton, num_head = _SIZES.unpack_from(inner)
    skeleton = inner[_SIZES.size : _SIZES.size + num_skeleton]
    records = json.loads(inner[_SIZES.size + num_skeleton : _SIZES.size + num_skeleton + num_head])
    proto = _parse(skeleton)
    at, total = start + num_packed, 0
    for record in records:
        tensor = proto.graph.initializer[int(record["at"])]
        shape = tuple(int(size) for size in tensor.dims)
        dtype = np.dtype(str(record["dtype"]))
        size = int(np.prod(shape, dtype=np.float64))
        total += size * dtype.itemsize
        if dtype.kind not in "fiu" or min(shape, default=1) < 0 or total > MAX_UNPACKED_BYTES:
            raise ValueError("a tensor is larger than two gigabytes, or not of numbers")
        body = content[at : at + int(record["bytes"])]
        at += len(body)
        array = _KINDS[record["kind"]](body, size, dtype, record)
        tensor.raw_data = np.ascontiguousarray(array, dtype).reshape(shape).tobytes()
    if at != len(content):
        raise ValueError("bytes are left over")
    unpacked: bytes = proto.SerializeToString()
    return unpacked


def _parse(skeleton: bytes) -> Any:
    try:
        return _onnx().ModelProto.FromString(skeleton)
    except MissingExtra:
        raise
    except Exception:  # protobuf's own exception, whose module differs between its releases
        raise ValueError("its network cannot be read") from None


def _decompress_head(packed: bytes, num_bytes: int) -> bytes:
    if num_bytes > MAX_HEAD_BYTES:
        raise ValueError("its head is too large")
    inner = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS).decompress(packed, num_bytes + 1)
    if len(inner) != num_bytes:
        raise ValueError("its head has another length")
    return inner


def _pack_array(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]]:
    """The shortest of the forms that give the array back bit by bit: kind, body, fields of the record."""
    found: list[tuple[str, bytes, dict[str, Any]]] = [_as_raw(array)]
    if array.dtype in (np.int8, np.uint8):
        found.append(("bytes", entropy.encode(array.reshape(-1).view(np.uint8).astype(np.intp)), {}))
    if array.dtype == np.float32:
        found += [form for form in (way(array) for way in _WAYS) if form]
    return min(found, key=lambda form: len(form[1]))


def _as_raw(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]]:
    """The bytes, sorted by their place in the number."""
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.dtype.itemsize).T
    return "raw", zlib.compress(planes.tobytes(), 9), {}


def _from_raw(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    expected = size * dtype.itemsize
    planes = zlib.decompressobj().decompress(body, expected + 1)
    if len(planes) != expected:
        raise ValueError("a tensor has another length")
    return np.frombuffer(np.frombuffer(planes, np.uint8).reshape(dtype.itemsize, size).T.tobytes(), dtype)


def _from_bytes(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    return _decoded(body, size).view(dtype)


def _as_codebook(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]] | None:
    """Few different values; as bits, so that a negative zero stays one."""
    values, codes = np.unique(array.reshape(-1).view(np.uint32), return_inverse=True)
    if len(values) > entropy.MAX_ALPHABET or len(values) * 2 > array.size:
        return None
    return "codebook", values.astype("<u4").tobytes() + entropy.encode(codes), {"values": len(values)}


def _from_codebook(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    num_values = int(record["values"])
    values = np.frombuffer(body, "<u4", num_values)
    found: np.ndarray = values[_decoded(body[4 * num_values :], size)].view(np.float32)
    return found


def _as_sparse(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]] | None:
    """Many zeros: where they are, coded, and the other numbers as they are."""
    bits = array.reshape(-1).view(np.uint32)
    present = bits != 0
    if present.mean() > LARGEST_PRESENT_SHARE or not present.any():
        return None
    where = entropy.encode(present.astype(np.intp))
    return "sparse", where + _as_raw(bits[present])[1], {"where": len(where)}


def _from_sparse(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    num_where = int(record["where"])
    present = _decoded(body[:num_where], size) == 1
    bits = np.zeros(size, "<u4")
    bits[present] = _from_raw(body[num_where:], int(present.sum()), np.dtype("<u4"), record)
    return bits.view(np.float32)


def _as_rows(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]] | None:
    """Steps of a scale, one scale (a float16) for each of the rows that the first dimensions make."""
    for matrix, is_turned in _ways_to_see_rows(array):
        scales = row_scales(matrix)
        if scales is None:
            continue
        steps = np.round(matrix / np.where(scales == 0, 1, scales)[:, None]).astype(np.int64)
        body = scales.astype("<f2").tobytes() + entropy.encode((steps + ROW_STEPS).reshape(-1))
        return "rows", body, {"rows": len(matrix), "turned": is_turned}
    return None


def _ways_to_see_rows(array: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """The array cut into rows: by its first dimension, by all but its last, and (turned) a matrix by its columns."""
    if array.ndim < 2:
        return []
    counts = sorted({array.shape[0], array.size // array.shape[-1]})
    return [*((array.reshape(count, -1), False) for count in counts), *([(array.T, True)] if array.ndim == 2 else [])]


def row_scales(matrix: np.ndarray) -> np.ndarray | None:
    """The float16 scale of each row (R, C) whose values are whole steps from -7 to 7 of it, bit by bit; else None."""
    if np.signbit(matrix[matrix == 0]).any():
        return None
    largest = np.abs(matrix).max(1)
    found = np.zeros(len(matrix), np.float32)
    missing = largest > 0
    for steps in range(1, ROW_STEPS // 2 + 1):
        scale = (largest / np.float32(steps)).astype(np.float16).astype(np.float32)
        rounded = np.round(matrix / np.where(scale == 0, 1, scale)[:, None]).astype(np.float32)
        fits = missing & (rounded * scale[:, None] == matrix).all(1) & (np.abs(rounded) <= ROW_STEPS // 2).all(1)
        found[fits] = scale[fits]
        missing &= ~fits
    return None if missing.any() else found


def _from_rows(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    rows = int(record["rows"])
    if rows < 1 or size % rows:
        raise ValueError("its rows do not fit")
    scales = np.frombuffer(body, "<f2", rows).astype(np.float32)
    steps = _decoded(body[2 * rows :], size).astype(np.float32) - np.float32(ROW_STEPS)
    matrix: np.ndarray = steps.reshape(rows, -1) * scales[:, None]
    return matrix.T if record["turned"] else matrix


def _as_halves(array: np.ndarray) -> tuple[str, bytes, dict[str, Any]] | None:
    """Numbers that a float16 holds exactly."""
    with np.errstate(over="ignore"):
        halves = array.reshape(-1).astype("<f2")
    if halves.astype(np.float32).tobytes() != array.tobytes():
        return None
    return "halves", _as_raw(halves)[1], {}


def _from_halves(body: bytes, size: int, dtype: np.dtype[Any], record: dict[str, Any]) -> np.ndarray:
    return _from_raw(body, size, np.dtype("<f2"), record).astype(np.float32)


def _decoded(body: bytes, size: int) -> np.ndarray:
    symbols, num_bytes = entropy.decode(body, size)
    if len(symbols) != size or num_bytes != len(body):
        raise ValueError("a tensor has another length")
    return symbols


_WAYS = (_as_codebook, _as_sparse, _as_rows, _as_halves)
_KINDS = {
    "raw": _from_raw,
    "bytes": _from_bytes,
    "codebook": _from_codebook,
    "sparse": _from_sparse,
    "rows": _from_rows,
    "halves": _from_halves,
}


def _clear(tensor: Any) -> None:
    """Leaves name, type and dimensions of a tensor, without its numbers."""
    for name in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(name)


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise MissingExtra("onnx", "serve", "Deployment") from None
    return onnx
