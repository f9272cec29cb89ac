"""The packed model gives back the very same tensors, is as small as it says, and refuses what is no such file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lepton_lab.errors import ServingError
from lepton_lab.serving import entropy, packed


def model_of(*arrays: np.ndarray) -> bytes:
    """A model that carries these arrays."""
    tensors = [numpy_helper.from_array(array, f"a_long_name_of_a_tensor_{i}") for i, array in enumerate(arrays)]
    names = [tensor.name for tensor in tensors]
    node = helper.make_node("Concat", ["input", *names], ["scores"], axis=0, name="a node", doc_string="long")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("input", "scores")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


def arrays_of(content: bytes) -> list[np.ndarray]:
    return [numpy_helper.to_array(tensor) for tensor in onnx.ModelProto.FromString(content).graph.initializer]


def kinds() -> list[tuple[str, np.ndarray, float]]:
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random((64, 500)) < 0.8, 0, rng.choice(rng.normal(size=15), (64, 500))).astype(np.float32)
    steps = rng.integers(-7, 8, (32, 600)) * rng.random((32, 1)).astype(np.float16).astype(np.float32)
    halves = rng.normal(size=2000).astype(np.float16).astype(np.float32)
    return [
        ("few values, most of them zero", sparse, 15.0),
        ("4-bit steps of a scale a row", steps.astype(np.float32), 7.5),
        ("the same by columns", steps.astype(np.float32).T.copy(), 7.5),
        ("many zeros", np.where(rng.random((80, 90)) < 0.8, 0, rng.normal(size=(80, 90))).astype(np.float32), 3.5),
        ("halves", halves, 1.9),
        ("anything", rng.normal(size=(30, 40)).astype(np.float32), 1.0),
        ("int8", np.clip(rng.normal(0, 10, (40, 90)), -127, 127).astype(np.int8), 1.2),
        ("constant", np.full((500, 8), 0.25, np.float32), 80.0),
        ("special numbers", np.array([np.nan, -np.inf, -0.0, 0.0] * 8, np.float32), 1.0),
        ("tiny", np.arange(3, dtype=np.int64), 0.0),
    ]


@pytest.mark.parametrize(("array", "smaller"), [k[1:] for k in kinds()], ids=[k[0] for k in kinds()])
def test_the_tensors_come_back_bit_by_bit_and_take_less_room(array, smaller):
    content = packed.pack(model_of(array))
    (back,) = arrays_of(packed.unpack(content))
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()
    assert len(content) - len(packed.pack(model_of())) < array.nbytes / smaller if smaller else True


@settings(deadline=None)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=3000))
def test_any_symbols_come_back(symbols):
    coded = entropy.encode(np.array(symbols))
    found, num_bytes = entropy.decode(coded + b"more", len(symbols))
    assert found.tolist() == symbols and num_bytes == len(coded)


def test_coded_symbols_take_what_their_entropy_says():
    rng = np.random.default_rng(1)
    symbols = np.where(rng.random(100_000) < 0.85, 0, rng.integers(1, 16, 100_000))
    shares = np.bincount(symbols) / len(symbols)
    entropy_bits = -(shares * np.log2(shares)).sum() * len(symbols)
    assert len(entropy.encode(symbols)) * 8 < 1.05 * entropy_bits


@settings(deadline=None)
@given(st.data())
def test_a_changed_file_is_refused_or_gives_a_model_but_never_fails_otherwise(data):
    content = bytearray(packed.pack(model_of(kinds()[0][1][:4, :64], kinds()[3][1])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    for broken in (bytes(content), cut):
        try:
            packed.unpack(broken)
        except ServingError as error:
            assert "export the bundle again" in str(error)


def test_a_file_that_would_fill_the_memory_is_refused():
    proto = onnx.ModelProto.FromString(model_of(np.zeros((64, 64), np.float32)))
    content = packed.pack(proto.SerializeToString())
    proto.graph.initializer[0].dims[0] = 2**40
    inner_of_bomb = packed.pack(model_of(np.zeros(64, np.float32)))
    assert packed.unpack(content) and packed.unpack(inner_of_bomb)
    head = bytearray(content)
    head[8:12] = (2**31).to_bytes(4, "little")
    with pytest.raises(ServingError, match="too large"):
        packed.unpack(bytes(head))
