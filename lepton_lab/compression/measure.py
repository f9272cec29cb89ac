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


class Judge:
    """The test rows, and what to hold answers against.

    Args:
        dataset: Its test part is used.
    """

    def __init__(self, dataset: PreparedDataset) -> None:
        self._dataset = dataset
        rows = place(dataset, "test", torch.device("cpu"))
        self._batches: list[Inputs] = []
        labels, order = [], []
        for index, batch in rows.passes(ROWS_PER_BATCH):
            self._batches.append(tuple(np.ascontiguousarray(each.numpy()) for each in batch.inputs))
            labels.append(batch.labels)
            order.append(index)
        self._labels = torch.cat(labels)
        self._objective = objective_for(dataset.problem, dataset.target)
        self.num_rows = len(self._labels)

    @property
    def sample(self) -> Inputs:
        """Some real rows."""
        return self._batches[0]

    def answers(self, engine: Engine) -> np.ndarray:
        """What a bundle answers to all test rows, (N, ...)."""
        return np.concatenate([engine.run(batch) for batch in self._batches])

    def quality(self, answers: np.ndarray, original: np.ndarray) -> Quality:
        """Compares answers with the truth and with the original network's answers."""
        if self._dataset.task == "classification":
            predicted, truths = answers.argmax(1), self._labels.numpy()
            classes = self._dataset.classes
            scores = class_scores(confusion_matrix(truths, predicted, len(classes)), classes)
            agreement = float((predicted == original.argmax(1)).mean())
            return Quality(float((predicted == truths).mean()), averages(scores)["f1_macro"], agreement)
        close = np.isclose(answers, original, rtol=CLOSE, atol=CLOSE).reshape(len(answers), -1).all(1)
        return Quality(self._metric(answers), None, float(close.mean()))

    def _metric(self, answers: np.ndarray) -> float:
        """The task's metric; the network's own outputs are found again from probabilities."""
        outputs = torch.from_numpy(answers)
        if self._dataset.task == "multilabel":
            outputs = outputs.clamp(1e-7, 1 - 1e-7).logit()
        metric = self._objective.metric
        if metric.sums is None:
            raise RunError(f"compress cannot judge networks for {self._dataset.task} yet.")
        sums = metric.sums(outputs, self._labels).double().sum(0)
        value = metric.value(sums.tolist(), 0.0, len(outputs))
        return float("nan") if value is None else float(value)


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
