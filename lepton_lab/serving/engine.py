"""One model under ONNX Runtime: few threads, no spinning, warm before it is asked."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from lepton_lab.errors import MissingExtra, ServingError
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.manifest import Manifest

CHUNK_ROWS = 256
"""Rows that go through the network at once: bounds the memory that one request can take."""
SMALL_MODEL_BYTES = 4 * 2**20
"""Below this a second thread costs more than it brings."""


class Engine:
    """Runs prepared rows through a bundle's network.

    Args:
        bundle: The verified bundle.
        threads: CPU threads of one run; `None` takes one for a small network, else at most four.

    Raises:
        ServingError: If the model does not load or does not match the bundle's signature.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.threads = threads or auto_threads(len(bundle.model))
        self.session = open_session(bundle.model, self.threads)
        self.input_name = bundle.manifest.input.name
        self.output_name = bundle.manifest.output.name
        self.row_shape = bundle.manifest.input.shape[1:]
        self._check_signature(bundle.manifest)

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Scores for prepared rows.

        Args:
            rows: float32, (N, *row shape), N >= 1.

        Returns:
            float32, (N, classes); each row sums to one.
        """
        if len(rows) <= CHUNK_ROWS:
            return self._run_chunk(rows)
        chunks = [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
        return np.concatenate([self._run_chunk(chunk) for chunk in chunks])

    def warm_up(self) -> None:
        """Runs a single row and a full batch, so that the first request finds memory and kernels ready."""
        for num_rows in (1, 32, 1):
            self.run(np.zeros((num_rows, *self.row_shape), np.float32))

    def _run_chunk(self, rows: np.ndarray) -> np.ndarray:
        scores: np.ndarray = self.session.run([self.output_name], {self.input_name: rows})[0]
        return scores

    def _check_signature(self, manifest: Manifest) -> None:
        """The model's own inputs and outputs must be those that the manifest promises."""
        inputs = [(entry.name, entry.type, tuple(entry.shape[1:])) for entry in self.session.get_inputs()]
        if inputs != [(self.input_name, "tensor(float)", self.row_shape)]:
            raise ServingError(f"model.onnx takes {inputs}; bundle.json promises {manifest.input.model_dump()}.")
        if self.output_name not in [entry.name for entry in self.session.get_outputs()]:
            raise ServingError(f"model.onnx has no output {self.output_name!r}, which bundle.json promises.")


def auto_threads(model_bytes: int) -> int:
    """Threads for a network of this size on this machine."""
    return 1 if model_bytes < SMALL_MODEL_BYTES else min(4, os.cpu_count() or 1)


def open_session(model: bytes, threads: int) -> Any:
    """An ONNX Runtime session on the CPU whose idle threads sleep instead of spinning.

    Raises:
        MissingExtra: If `onnxruntime` is not installed.
        ServingError: If the model does not load.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", "serve", "Deployment") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ServingError(f"The model cannot be loaded by ONNX Runtime: {str(error)[:300]}") from error
