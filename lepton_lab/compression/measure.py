"""How good, how fast and how large a bundle is, measured on the bundle as the inference server would run it."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lepton_lab.data import PreparedDataset
from lepton_lab.data.found_boxes import decode
from lepton_lab.errors import RunError, ServingError
from lepton_lab.evaluation.metrics import averages, class_scores, confusion_matrix
from lepton_lab.runs.process import python_command
from lepton_lab.serving.engine import Engine, Inputs
from lepton_lab.training.objective import objective_for
from lepton_lab.training.resident import place

BATCHES = (1, 32)
NUM_ROUNDS = 40
"""Rounds of the comparison; in each, every variant runs a few times in turn, so that other work meets all alike."""
RUNS_PER_ROUND = 5
NUM_WARM = 5
ROWS_PER_BATCH = 256
CLOSE = 0.01
"""Two numbers agree when they differ by at most this share."""
MEMORY_SECONDS = 60.0


@dataclass(frozen=True)
class Quality:
    """How good a network's answers are on the test rows.

    Attributes:
        metric: The task's own figure.
        f1: The plain mean over the classes, for classification; else None.
        agreement: Share of rows that are answered as the original answers them.
    """

    metric: float
    f1: float | None
    agreement: float


@dataclass(frozen=True)
class Latency:
    """Seconds of one run at one batch size."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Said:
    """What a bundle says about the test rows.

    Attributes:
        values: (N, ...), to compare with what another one says: numbers, or the number of a class or a token.
        metric: The task's figure.
        f1: The plain mean over the classes, for classification; else None.
    """

    values: np.ndarray
    metric: float
    f1: float | None = None


class Judge:
    """The test rows, and what to hold answers against.

    Args:
        dataset: Its test part is used.
        network: The original; a detector lends its loss and its way to read boxes.
    """

    def __init__(self, dataset: PreparedDataset, network: torch.nn.Module) -> None:
        self._dataset, self._network = dataset, network
        self._rows = place(dataset, "test", torch.device("cpu"))
        self._objective = objective_for(dataset.problem, dataset.target)
        self.num_rows = len(self._rows)
        _, first = next(iter(self._rows.passes(32)))
        self.sample: Inputs = _arrays(first.inputs)
        """Some real rows."""

    def answers(self, engine: Engine) -> Said:
        """What a bundle answers to all test rows."""
        task = self._dataset.task
        listener = _Listener(engine, self._network, _WORDS.get(task, _as_they_are))
        if task in ("language", "ranking", "detection"):
            metric = self._objective.of_split(listener, self._rows, keep=False).metric
            return Said(np.concatenate(listener.heard), float(metric))
        labels = []
        for _, batch in self._rows.passes(ROWS_PER_BATCH):
            listener(*batch.inputs)
            labels.append(batch.labels)
        values, truths = np.concatenate(listener.heard), torch.cat(labels)
        if task != "classification":
            return Said(values, self._metric(values, truths))
        predicted, classes = values.argmax(1), self._dataset.classes
        scores = class_scores(confusion_matrix(truths.numpy(), predicted, len(classes)), classes)
        return Said(predicted, float((predicted == truths.numpy()).mean()), averages(scores)["f1_macro"])

    def quality(self, said: Said, original: Said) -> Quality:
        """Compares answers with those of the original network."""
        ours, theirs = said.values, original.values
        same = ours == theirs if ours.dtype.kind in "iU" else np.isclose(ours, theirs, rtol=CLOSE, atol=CLOSE)
        alike = same if self._dataset.task == "language" else same.reshape(len(same), -1).all(1)
        return Quality(said.metric, said.f1, float(alike.mean()))

    def _metric(self, answers: np.ndarray, labels: torch.Tensor) -> float:
        """The task's metric; the network's own outputs are found again from probabilities."""
        outputs = torch.from_numpy(answers)
        if self._dataset.task == "multilabel":
            outputs = outputs.clamp(1e-7, 1 - 1e-7).logit()
        metric = self._objective.metric
        if metric.sums is None:
            raise RunError(f"compress cannot judge networks for {self._dataset.task} yet.")
        sums = metric.sums(outputs, labels).double().sum(0)
        value = metric.value(sums.tolist(), 0.0, len(outputs))
        return float("nan") if value is None else float(value)


class _Listener(torch.nn.Module):
    """A bundle's engine where a network is expected; notes in short what it says."""

    def __init__(self, engine: Engine, network: torch.nn.Module, shorten: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self._engine, self._shorten = engine, shorten
        self._lender = (network,)  # in a tuple, so that it does not become a part of this module
        self.heard: list[np.ndarray] = []

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """What the engine answers, (B, ...)."""
        answers = self._engine.run(_arrays(inputs))
        self.heard.append(self._shorten(answers))
        return torch.from_numpy(answers)

    def loss(self, outputs: torch.Tensor, targets: list[torch.Tensor]) -> torch.Tensor:
        """A detector's own loss."""
        found: torch.Tensor = self._lender[0].loss(outputs, targets)  # type: ignore[operator]
        return found

    def decode(self, outputs: torch.Tensor) -> object:
        """A detector's own boxes."""
        return self._lender[0].decode(outputs)  # type: ignore[operator]


def _arrays(inputs: tuple[torch.Tensor, ...]) -> Inputs:
    return tuple(np.ascontiguousarray(each.numpy()) for each in inputs)


def _as_they_are(answers: np.ndarray) -> np.ndarray:
    return answers


def _likeliest(answers: np.ndarray) -> np.ndarray:
    """The number of the likeliest token of each step."""
    found: np.ndarray = answers.argmax(-1)
    return found


def _things(answers: np.ndarray) -> np.ndarray:
    """The classes of the boxes in each picture, as a text."""
    return np.array([" ".join(sorted(str(int(box[5])) for box in boxes)) for boxes in decode(answers)])


_WORDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"language": _likeliest, "detection": _things}


def latencies(runs: Mapping[str, Callable[[Inputs], object]], rows: Inputs) -> dict[str, dict[int, Latency]]:
    """Seconds of a run for each variant and batch size; all variants take turns.

    Args:
        runs: What runs a batch, by variant.
        rows: Real prepared rows; they are repeated where there are fewer than a batch takes.
    """
    found: dict[str, dict[int, Latency]] = {name: {} for name in runs}
    for size in BATCHES:
        batch = tuple(np.ascontiguousarray(np.resize(each, (size, *each.shape[1:]))) for each in rows)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            for _ in range(NUM_WARM):
                run(batch)
        for _ in range(NUM_ROUNDS):
            for name, run in runs.items():
                run(batch)
                for _ in range(RUNS_PER_ROUND):
                    start = time.perf_counter()
                    run(batch)
                    seconds[name].append(time.perf_counter() - start)
        for name, each in seconds.items():
            tenths = statistics.quantiles(each, n=10)
            found[name][size] = Latency(statistics.median(each), tenths[0], tenths[-1])
    return found


def memory_bytes(folder: Path) -> int:
    """Memory that a process of its own takes to load a bundle and answer a batch of 32, beyond its libraries.

    Raises:
        ServingError: If that process fails.
    """
    command = python_command("lepton_lab.compression.memory", str(folder))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=MEMORY_SECONDS)
        return int(json.loads(done.stdout.splitlines()[-1]))
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise ServingError(f"The memory of a variant could not be measured: {str(said).strip()[-200:]}") from None
