"""One model under ONNX Runtime: few threads, no spinning, warm before it is asked."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from lepton_lab.errors import MissingExtra, ServingError
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.manifest import Manifest

Inputs = tuple[np.ndarray, ...]
"""What a network is called with: prepared rows, and their lengths where they have any."""
DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
ONNX_TYPES = {"FP32": "tensor(float)", "INT64": "tensor(int64)"}
WARM_STEPS = 4
CHUNK_ROWS = 256
"""Rows that go through the network at once: bounds the memory that one request can take."""
SMALL_MODEL_BYTES = 4 * 2**20
"""Below this a second thread costs more than it brings."""


class ValuesRefused(ServingError):
    """The network looks something up that is not there: a token beyond its vocabulary, for example."""


class ClusterAway(ServingError):
    """The cluster that the network runs on does not answer; it may come back."""


class Engine:
    """Runs prepared rows through a bundle's network.

    Args:
        bundle: The verified bundle.
        threads: CPU threads of one run; `None` takes one for a small network, else at most four.

    Raises:
        ServingError: If the model does not load or does not match the bundle's signature.
    """

    is_lost = False
    """Whether it will not answer again, because the cluster that it ran on has gone."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.threads = threads or auto_threads(len(bundle.model))
        self.session = open_session(bundle.model, self.threads)
        self.inputs = bundle.manifest.inputs
        self.output_name = bundle.manifest.output.name
        self._check_signature(bundle.manifest)

    def run(self, inputs: Inputs) -> np.ndarray:
        """The network's answers.

        Args:
            inputs: Prepared rows (N, *row shape), N >= 1, and their lengths (N,) where the network takes them.

        Returns:
            float32, (N, ...); of a classifier the probabilities (N, classes).
        """
        num_rows = len(inputs[0])
        if num_rows <= CHUNK_ROWS:
            return self._run_chunk(inputs)
        starts = range(0, num_rows, CHUNK_ROWS)
        return np.concatenate([self._run_chunk(tuple(each[at : at + CHUNK_ROWS] for each in inputs)) for at in starts])

    def warm_up(self) -> None:
        """Runs a single row and a full batch, so that the first request finds memory and kernels ready."""
        for num_rows in (1, 32, 1):
            self.run(self.blank(num_rows))

    def close(self) -> None:
        """Lets go of what is not in this process; here there is nothing."""

    def blank(self, num_rows: int) -> Inputs:
        """Rows of zeros, as the network takes them; those without a fixed length are `WARM_STEPS` long."""
        rows = self.inputs[0]
        shape = [WARM_STEPS if size == -1 else size for size in rows.shape[1:]]
        blank = np.zeros((num_rows, *shape), DTYPES[rows.datatype])
        return (blank,) if len(self.inputs) == 1 else (blank, np.full(num_rows, shape[0], np.int64))

    def _run_chunk(self, inputs: Inputs) -> np.ndarray:
        feed = {entry.name: each for entry, each in zip(self.inputs, inputs, strict=True)}
        try:
            scores: np.ndarray = self.session.run([self.output_name], feed)[0]
        except Exception as error:  # ONNX Runtime's own exceptions have no common base
            if "out of" in str(error) and "bounds" in str(error):
                raise ValuesRefused(
                    "A number is outside what the network knows (a token, a category, a length)."
                ) from None
            raise
        return scores

    def _check_signature(self, manifest: Manifest) -> None:
        """The model's own inputs and outputs must be those that the manifest promises."""
        found = {entry.name: (entry.type, _sizes(entry.shape[1:])) for entry in self.session.get_inputs()}
        promised = {entry.name: (ONNX_TYPES[entry.datatype], entry.shape[1:]) for entry in manifest.inputs}
        if found != promised:
            raise ServingError(f"model.onnx takes {found}; bundle.json promises {promised}.")
        if self.output_name not in [entry.name for entry in self.session.get_outputs()]:
            raise ServingError(f"model.onnx has no output {self.output_name!r}, which bundle.json promises.")


def joined(parts: list[Inputs]) -> Inputs:
    """Rows of several requests as one batch; shorter ones are padded with zeros at their end."""
    if len(parts) == 1:
        return parts[0]
    rows = [part[0] for part in parts]
    if len({each.shape[1:] for each in rows}) > 1:
        longest = max(each.shape[1] for each in rows)
        rows = [
            np.pad(each, [(0, 0), (0, longest - each.shape[1]), *[(0, 0)] * (each.ndim - 2)]) for each in rows
        ]  # fmt: skip
    return (np.concatenate(rows), *(np.concatenate(each) for each in zip(*(part[1:] for part in parts), strict=True)))


def _sizes(shape: list[Any]) -> tuple[int, ...]:
    """A shape with -1 for every size that the model leaves open."""
    return tuple(size if isinstance(size, int) else -1 for size in shape)


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
