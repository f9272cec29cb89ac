"""From a trained network to a bundle: ONNX with a dynamic batch, checked against torch on real samples.

The exported graph ends in a softmax, so that every client gets probabilities. torch.export is asked first; a
network that it cannot follow (control flow that depends on the data) goes through the tracing exporter. Which of
the two it was, the operator set and the largest difference stand in the bundle's record. This is the only module
of the room that uses torch; it runs in the worker, after training.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_lab.errors import LeptonError, ServingError
from lepton_lab.serving import bundle as bundles
from lepton_lab.serving.engine import open_session
from lepton_lab.serving.manifest import EXAMPLE_FILE, MODEL_FILE, Manifest, TensorSignature, Verification
from lepton_lab.serving.onnx_guard import opset_of

if TYPE_CHECKING:
    import torch

    from lepton_lab.data.dataset import PreparedDataset

OPSET = 18
MAX_DIFFERENCE = 1e-3
"""Largest difference of a probability that rounding explains; more means a wrong export."""
NUM_CHECKED_SAMPLES = 64
OUTPUT_NAME = "scores"


def export_bundle(
    module: torch.nn.Module, dataset: PreparedDataset, run_info: dict[str, Any], out_dir: Path
) -> dict[str, Any]:
    """Writes a run's bundle.

    Args:
        module: The trained network; gives logits of shape (N, classes). It is copied, not changed.
        dataset: What it was trained on; lends the preparation, the class names and samples to check with.
        run_info: `run_id`, and where known `name`, `model` (a name), `metrics` (JSON-able).
        out_dir: The bundle's folder; one that is there is replaced at once, by a complete one.

    Returns:
        The content of `bundle.json`.

    Raises:
        ServingError: If the network cannot be exported, or the export does not agree with it.
        MissingExtra: If onnx, onnxscript or onnxruntime is not installed.
    """
    started = time.perf_counter()
    exported = export_model(module, samples_of(dataset))
    return write_bundle(exported, {MODEL_FILE: exported.model}, dataset, run_info, out_dir, started=started)


@dataclass(frozen=True)
class Exported:
    """A network as ONNX.

    Attributes:
        model: The serialised model; takes "input", gives "scores".
        exporter: Which exporter could do it.
        verification: How it compares with the network.
    """

    model: bytes
    exporter: str
    verification: Verification


def export_model(module: torch.nn.Module, samples: np.ndarray) -> Exported:
    """Exports a network and checks the export.

    Args:
        module: Gives logits of shape (N, classes). It is copied, not changed.
        samples: Real prepared rows to check with, float32 (N, *row shape).

    Raises:
        ServingError: If it cannot be exported, or the export does not agree with it.
    """
    network = _with_softmax(module)
    model, exporter = _to_onnx(network, samples)
    return Exported(model, exporter, _verify(network, model, samples))


def write_bundle(
    exported: Exported,
    files: dict[str, bytes],
    dataset: PreparedDataset,
    run_info: dict[str, Any],
    out_dir: Path,
    *,
    started: float,
) -> dict[str, Any]:
    """Writes an exported network, plain or packed, as a bundle.

    Args:
        exported: The network, checked.
        files: The model's file, `model.onnx` or `model.packed`.
        dataset: Lends preparation, class names and an example.
        run_info: As `export_bundle` takes it; and "compression", where the network is a compressed one.
        out_dir: The bundle's folder.
        started: When the export began (`time.perf_counter`).

    Returns:
        The content of `bundle.json`.
    """
    example, picture = _example(dataset)
    if picture:
        files = {**files, EXAMPLE_FILE: picture}
    signature = dataset.preparation.signature()
    manifest = Manifest(
        name=str(run_info.get("name") or run_info["run_id"]),
        run_id=str(run_info["run_id"]),
        dataset=dataset.name,
        model=str(run_info.get("model", "")),
        modality=dataset.modality,
        input=TensorSignature(name="input", shape=(-1, *dataset.input_shape), datatype=signature["datatype"]),
        output=TensorSignature(name=OUTPUT_NAME, shape=(-1, len(dataset.classes))),
        preparation=dataset.preparation.to_dict(),
        classes=tuple(str(name) for name in dataset.classes),
        metrics=dict(run_info.get("metrics") or {}),
        example=example,
        opset=opset_of(exported.model),
        exporter=exported.exporter,
        export_seconds=round(time.perf_counter() - started, 3),
        verification=exported.verification,
        compression=run_info.get("compression"),
        versions=_versions(),
        created=time.time(),
        files={name: {"sha256": "0" * 64, "bytes": len(content)} for name, content in files.items()},
    )
    return bundles.write(Path(out_dir), manifest, files).manifest.model_dump(mode="json")


def warm_up() -> None:
    """Exports a tiny network into nothing: two thirds of a first export go into loading the exporter."""
    import torch

    _to_onnx(_with_softmax(torch.nn.Linear(4, 2)), np.zeros((2, 4), np.float32))


def samples_of(dataset: PreparedDataset) -> np.ndarray:
    """Prepared rows of the most honest part there is: test, else validation, else training. (N, *row shape)."""
    for name in ("test", "validation", "train"):
        split = dataset.splits.get(name)
        if split is not None and len(split.inputs):
            rows = dataset.preparation.apply(np.asarray(split.inputs[:NUM_CHECKED_SAMPLES]))
            return np.ascontiguousarray(rows, np.float32)
    raise ServingError(f"The dataset {dataset.name} has no rows to check the export with.")


def _with_softmax(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of the network on the CPU, in evaluation mode, that ends in probabilities."""
    import torch

    copied = copy.deepcopy(module).to(device="cpu", dtype=torch.float32)
    return torch.nn.Sequential(copied, torch.nn.Softmax(dim=-1)).eval().requires_grad_(False)


def _to_onnx(network: torch.nn.Module, samples: np.ndarray) -> tuple[bytes, str]:
    """The network as ONNX, and the name of the exporter that could do it."""
    import torch

    probe = torch.from_numpy(np.resize(samples, (2, *samples.shape[1:])))
    problems = []
    ways: list[tuple[str, Callable[[], bytes]]] = [
        ("torch.export", lambda: _by_torch_export(network, probe)),
        ("tracing", lambda: _by_tracing(network, probe)),
    ]
    for name, way in ways:
        try:
            with _quiet(), torch.no_grad():
                return way(), name
        except Exception as error:  # exporters raise whatever the network's code raises
            if isinstance(error, LeptonError):
                raise
            problems.append(f"{name}: {str(error).strip().splitlines()[0][:200] if str(error).strip() else error!r}")
    raise ServingError("The network cannot be exported to ONNX. " + "; ".join(problems))


def _by_torch_export(network: torch.nn.Module, probe: torch.Tensor) -> bytes:
    """Exports the captured graph; recurrent layers stay single ONNX operators."""
    import torch

    program = torch.onnx.export(
        network,
        (probe,),
        dynamo=True,
        input_names=["input"],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ServingError("torch.onnx.export gave no program.")
    content: bytes = program.model_proto.SerializeToString()
    return content


def _by_tracing(network: torch.nn.Module, probe: torch.Tensor) -> bytes:
    """Exports what the network does to two rows; for code that torch.export cannot follow."""
    import torch

    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (probe,),
        buffer,  # type: ignore[arg-type]  # torch takes a file object here, whatever its annotation says
        dynamo=False,
        input_names=["input"],
        output_names=[OUTPUT_NAME],
        dynamic_axes={"input": {0: "batch"}, OUTPUT_NAME: {0: "batch"}},
        opset_version=OPSET,
    )
    return buffer.getvalue()


def _verify(network: torch.nn.Module, model: bytes, samples: np.ndarray) -> Verification:
    """Compares ONNX Runtime with torch, one row at a time and all at once."""
    import torch

    session = open_session(model, threads=1)
    with torch.inference_mode():
        expected = network(torch.from_numpy(samples)).numpy()
    together = session.run([OUTPUT_NAME], {"input": samples})[0]
    single = session.run([OUTPUT_NAME], {"input": samples[:1]})[0]
    if together.shape != expected.shape:
        raise ServingError(f"The exported network gives {together.shape}; the trained one {expected.shape}.")
    difference = float(max(np.abs(together - expected).max(), np.abs(single - expected[:1]).max()))
    if not difference <= MAX_DIFFERENCE:
        raise ServingError(
            f"The exported network differs from the trained one by {difference:.2g} in a probability; "
            f"expected at most {MAX_DIFFERENCE:g}. Operations that behave differently in ONNX are the usual cause."
        )
    agreement = float((together.argmax(1) == expected.argmax(1)).mean())
    return Verification(num_samples=len(samples), largest_difference=difference, agreement_fraction=agreement)


def _example(dataset: PreparedDataset) -> tuple[dict[str, Any] | None, bytes | None]:
    """One real thing to try: a row for a table, a PNG for pictures; sequences have none."""
    split = next(name for name in ("test", "validation", "train") if len(dataset.splits[name].inputs))
    if dataset.modality == "image":
        return None, dataset.sample_png(split, 0)
    row = dataset.raw_sample(split, 0) if dataset.modality == "table" else None
    return (dict(row), None) if isinstance(row, dict) else (None, None)


def _versions() -> dict[str, str]:
    """What made the bundle."""
    found = {"python": platform.python_version()}
    for package in ("lepton-lab", "torch", "onnx", "onnxscript", "onnxruntime", "numpy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporters' chatter out of the worker's log; real problems come as exceptions."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    sink = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
