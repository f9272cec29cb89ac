"""8-bit ONNX by ONNX Runtime's own quantiser: dynamic, or static with scales from real samples."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from lepton_lab.errors import ServingError
from lepton_lab.serving.engine import Inputs
from lepton_lab.serving.export import INPUT_NAMES

ROWS_PER_BATCH = 32


def simplified(model: bytes) -> bytes:
    """The model after ONNX Runtime's basic optimisations: constants folded, norms fused, still plain ONNX."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simplified.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return _without_unused_operator_sets(path.read_bytes())


def _without_unused_operator_sets(model: bytes) -> bytes:
    """ONNX Runtime lists all operator sets that it knows; a bundle names those that its model uses."""
    proto = onnx.ModelProto.FromString(model)
    used = {node.domain for node in proto.graph.node} | {""}
    kept = [entry for entry in proto.opset_import if entry.domain in used]
    del proto.opset_import[:]
    proto.opset_import.extend(kept)
    plain: bytes = proto.SerializeToString()
    return plain


def dynamic_int8(model: bytes) -> bytes:
    """Weights in 8 bits; what flows between layers is scaled anew in each run.

    Args:
        model: A simplified model.

    Raises:
        ServingError: If the quantiser cannot read the network.
    """
    with _files(model) as (source, target):
        quantize_dynamic(source, target, weight_type=QuantType.QUInt8)
        return target.read_bytes()


def static_int8(model: bytes, samples: Inputs) -> bytes:
    """Weights and activations in 8 bits.

    Weights take 7 of them: on processors without VNNI two products of full 8-bit values overflow the 16 bits that they
    are added in.

    Args:
        model: A simplified model.
        samples: Prepared training rows: the scales come from what they cause.

    Raises:
        ServingError: If the quantiser cannot read the network.
    """
    with _files(model) as (source, target):
        quantize_static(
            source,
            target,
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return target.read_bytes()


class _Samples(CalibrationDataReader):  # type: ignore[misc]
    """Hands the quantiser batches of rows."""

    def __init__(self, samples: Inputs) -> None:
        starts = range(0, len(samples[0]), ROWS_PER_BATCH)
        self._batches = iter([tuple(each[at : at + ROWS_PER_BATCH] for each in samples) for at in starts])

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else dict(zip(INPUT_NAMES, batch, strict=False))


@contextmanager
def _files(model: bytes) -> Iterator[tuple[Path, Path]]:
    """The quantiser reads and writes files; its warnings about missing preprocessing are settled by `simplified`."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
            source.write_bytes(model)
            yield source, target
    except (ValueError, RuntimeError, KeyError, IndexError, NotImplementedError) as error:
        raise ServingError(f"The quantiser cannot read this network: {str(error)[:300]}") from error
    finally:
        root.setLevel(level)
