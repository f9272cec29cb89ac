"""From a trained network to a bundle: ONNX with a dynamic batch, checked against torch on real samples.

The exported graph of a classifier ends in a softmax, so that every client gets probabilities; rows with lengths of
their own give the graph a second input. torch.export is asked first; a network that it cannot follow (control flow
that depends on the data) goes through the tracing exporter. Which of the two it was, the operator set and the largest
difference stand in the bundle's record. This is the only module of the room that uses torch; it runs in the worker,
after training.
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
from lepton_lab.serving.answers import SERVED_TASKS
from lepton_lab.serving.drift import reference
from lepton_lab.serving.engine import Inputs, open_session
from lepton_lab.serving.manifest import EXAMPLE_FILE, EXAMPLE_SOUND, MODEL_FILE, Manifest, TensorSignature, Verification
from lepton_lab.serving.onnx_guard import opset_of

if TYPE_CHECKING:
    import torch

    from lepton_lab.data.dataset import PreparedDataset

OPSET = 18
MAX_DIFFERENCE = 1e-3
"""Largest difference of a probability that rounding explains; more means a wrong export."""
NUM_CHECKED_SAMPLES = 64
NUM_REFERENCE_ROWS = 512
INPUT_NAMES = ["input", "lengths"]
OUTPUT_NAME = "scores"
MAX_EXAMPLE_CHARACTERS = 500


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
    exported = export_model(module, samples_of(dataset), dataset.task)
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


def export_model(module: torch.nn.Module, samples: Inputs, task: str) -> Exported:
    """Exports a network and checks the export.

    Args:
        module: A network as it was trained. It is copied, not changed.
        samples: Real prepared rows to check with, as `samples_of` gives them.
        task: A name of `specs.TASKS`.

    Raises:
        ServingError: If it cannot be exported, or the export does not agree with it.
    """
    if task not in SERVED_TASKS:
        raise ServingError(
            f"Networks for {task} are not served yet; expected one of {', '.join(sorted(SERVED_TASKS))}."
        )
    network = answering(module, task)
    model, exporter = _to_onnx(network, samples, any_steps=len(samples) > 1 or task == "language")
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
    example, example_files = _example(dataset)
    files = {**files, **example_files}
    takes = _signatures(dataset)
    manifest = Manifest(
        name=str(run_info.get("name") or run_info["run_id"]),
        run_id=str(run_info["run_id"]),
        dataset=dataset.name,
        model=str(run_info.get("model", "")),
        task=dataset.task,
        modality=dataset.modality,
        input=takes[0],
        lengths=takes[1] if len(takes) > 1 else None,
        output=TensorSignature(name=OUTPUT_NAME, shape=_answer_shape(dataset)),
        target=dataset.target.to_dict() if dataset.target.is_scaled else None,
        preparation=dataset.preparation.to_dict(),
        classes=tuple(str(name) for name in dataset.classes),
        metrics=dict(run_info.get("metrics") or {}),
        example=example,
        opset=opset_of(exported.model),
        exporter=exported.exporter,
        export_seconds=round(time.perf_counter() - started, 3),
        verification=exported.verification,
        compression=run_info.get("compression"),
        reference=_reference(exported.model, dataset),
        versions=_versions(),
        created=time.time(),
        files={name: {"sha256": "0" * 64, "bytes": len(content)} for name, content in files.items()},
    )
    return bundles.write(Path(out_dir), manifest, files).manifest.model_dump(mode="json")


def warm_up() -> None:
    """Exports a tiny network into nothing: two thirds of a first export go into loading the exporter."""
    import torch

    _to_onnx(answering(torch.nn.Linear(4, 2), "classification"), (np.zeros((2, 4), np.float32),))


def samples_of(dataset: PreparedDataset) -> Inputs:
    """Prepared rows of the most honest part there is: test, else validation, else training; lengths beside them."""
    import torch

    from lepton_lab.training.resident import place

    for name in ("test", "validation", "train"):
        split = dataset.splits.get(name)
        if split is not None and len(split):
            rows = place(dataset, name, torch.device("cpu"), free_bytes=0)
            batch = rows.batch(torch.arange(min(NUM_CHECKED_SAMPLES, len(split))))
            return tuple(np.ascontiguousarray(each.numpy()) for each in batch.inputs)
    raise ServingError(f"The dataset {dataset.name} has no rows to check the export with.")


def answering(module: torch.nn.Module, task: str) -> torch.nn.Module:
    """A copy of the network on the CPU, in evaluation mode, that gives what clients get: probabilities, or numbers."""
    import torch

    ends = {"classification": torch.nn.Softmax(dim=-1), "multilabel": torch.nn.Sigmoid()}
    copied = copy.deepcopy(module).to(device="cpu", dtype=torch.float32)

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.end = copied, ends.get(task, torch.nn.Identity())

        def forward(self, rows: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
            answers = self.network(rows) if lengths is None else self.network(rows, lengths)
            ended: torch.Tensor = self.end(answers)
            return ended

    return Answering().eval().requires_grad_(False)


def _answer_shape(dataset: PreparedDataset) -> tuple[int, ...]:
    """Shape of the answers; a detector's are a box and a score of each class at each of its places."""
    if dataset.task == "detection":
        return (-1, -1, 4 + len(dataset.classes))
    if dataset.task == "language":
        return (-1, -1, *dataset.problem.output_shape[1:])
    return (-1, *dataset.problem.output_shape)


def _signatures(dataset: PreparedDataset) -> list[TensorSignature]:
    """The network's inputs as the preparation describes them."""
    described = dataset.preparation.signature()
    entries = described if isinstance(described, list) else [described]
    return [TensorSignature(name=e["name"], shape=tuple(e["shape"]), datatype=e["datatype"]) for e in entries]


def _to_onnx(network: torch.nn.Module, samples: Inputs, *, any_steps: bool = False) -> tuple[bytes, str]:
    """The network as ONNX, for rows of any number of steps if asked, and the name of the exporter that could do it."""
    import torch

    probes = tuple(torch.from_numpy(np.resize(each, (2, *each.shape[1:]))) for each in samples)
    problems = []
    ways: list[tuple[str, Callable[[], bytes]]] = [
        ("torch.export", lambda: _by_torch_export(network, probes, any_steps)),
        ("tracing", lambda: _by_tracing(network, probes, any_steps)),
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


def _by_torch_export(network: torch.nn.Module, probes: tuple[torch.Tensor, ...], any_steps: bool) -> bytes:
    """Exports the captured graph; recurrent layers stay single ONNX operators."""
    import torch

    batch = torch.export.Dim("batch", min=1)
    shapes: list[dict[int, Any]] = [{0: batch} for _ in probes]
    if any_steps:
        shapes[0][1] = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        network,
        probes,
        dynamo=True,
        input_names=INPUT_NAMES[: len(probes)],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=tuple(shapes),
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ServingError("torch.onnx.export gave no program.")
    content: bytes = program.model_proto.SerializeToString()
    return content


def _by_tracing(network: torch.nn.Module, probes: tuple[torch.Tensor, ...], any_steps: bool) -> bytes:
    """Exports what the network does to two rows; for code that torch.export cannot follow."""
    import torch

    buffer = io.BytesIO()
    names = INPUT_NAMES[: len(probes)]
    axes = {name: {0: "batch"} for name in (*names, OUTPUT_NAME)}
    if any_steps:
        axes[names[0]][1] = "steps"
    torch.onnx.export(
        network,
        probes,
        buffer,  # type: ignore[arg-type]  # torch takes a file object here, whatever its annotation says
        dynamo=False,
        input_names=names,
        output_names=[OUTPUT_NAME],
        dynamic_axes=axes,
        opset_version=OPSET,
    )
    return buffer.getvalue()


def _verify(network: torch.nn.Module, model: bytes, samples: Inputs) -> Verification:
    """Compares ONNX Runtime with torch, and refuses what rounding does not explain."""
    found = _compare(network, model, samples)
    if not found.largest_difference <= MAX_DIFFERENCE:
        raise ServingError(
            f"The exported network differs from the trained one by {found.largest_difference:.2g} in an answer; "
            f"expected at most {MAX_DIFFERENCE:g}. Operations that behave differently in ONNX are the usual cause."
        )
    return found


def compare(module: torch.nn.Module, model: bytes, samples: Inputs, task: str) -> Verification:
    """How far an ONNX model, which may be a compressed one, is from a network.

    Args:
        module: A network as it was trained.
        model: What was made of it.
        samples: Real prepared rows.
        task: A name of `specs.TASKS`.
    """
    return _compare(answering(module, task), model, samples)


def _compare(network: torch.nn.Module, model: bytes, samples: Inputs) -> Verification:
    """ONNX Runtime against torch, one row at a time and all at once."""
    import torch

    session = open_session(model, threads=1)
    with torch.inference_mode():
        expected = network(*map(torch.from_numpy, samples)).numpy()
    feeds = [dict(zip(INPUT_NAMES, (each[:count] for each in samples), strict=False)) for count in (len(expected), 1)]
    together, single = (session.run([OUTPUT_NAME], feed)[0] for feed in feeds)
    if together.shape != expected.shape:
        raise ServingError(f"The exported network gives {together.shape}; the trained one {expected.shape}.")
    size = np.maximum(1.0, np.abs(expected))  # a box's edges are hundreds of pixels
    difference = float(
        max((np.abs(together - expected) / size).max(), (np.abs(single - expected[:1]) / size[:1]).max())
    )
    if expected.ndim == 2 and expected.shape[1] > 1:
        agreement = float((together.argmax(1) == expected.argmax(1)).mean())
    else:
        agreement = float(np.isclose(together, expected, rtol=1e-2, atol=1e-2).reshape(len(expected), -1).all(1).mean())
    return Verification(num_samples=len(expected), largest_difference=difference, agreement_fraction=agreement)


def _reference(model: bytes, dataset: PreparedDataset) -> dict[str, Any] | None:
    """What held-out rows look like, and what the network says to them: what the server compares with."""
    import torch

    from lepton_lab.training.resident import place

    name = next((name for name in ("validation", "test", "train") if len(dataset.splits[name])), None)
    if name is None or dataset.task in ("language", "ranking"):
        return None
    rows = place(dataset, name, torch.device("cpu"), free_bytes=0)
    batch = rows.batch(torch.arange(min(NUM_REFERENCE_ROWS, len(rows))))
    inputs = tuple(np.ascontiguousarray(each.numpy()) for each in batch.inputs)
    session, answers = open_session(model, threads=1), []
    for at in range(0, len(inputs[0]), NUM_CHECKED_SAMPLES):
        feed = dict(zip(INPUT_NAMES, (each[at : at + NUM_CHECKED_SAMPLES] for each in inputs), strict=False))
        answers.append(session.run([OUTPUT_NAME], feed)[0])
    return reference(inputs, np.concatenate(answers))


def _example(dataset: PreparedDataset) -> tuple[dict[str, Any] | None, dict[str, bytes]]:
    """One real thing to try: a row or a sentence as values, a picture or a sound as a file; else nothing."""
    split = next(name for name in ("test", "validation", "train") if len(dataset.splits[name]))
    if dataset.modality == "image":
        return None, {EXAMPLE_FILE: dataset.sample_png(split, 0)}
    raw = dataset.raw_sample(split, 0)
    if isinstance(raw, bytes):
        return None, {EXAMPLE_SOUND: raw} if dataset.modality == "audio" else {}
    if isinstance(raw, str):
        return {"text": raw[:MAX_EXAMPLE_CHARACTERS]}, {}
    return (dict(raw), {}) if isinstance(raw, dict) else (None, {})


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
