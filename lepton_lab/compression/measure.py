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

from lepton_lab.errors import ServingError
from lepton_lab.evaluation.metrics import averages, class_scores, confusion_matrix
from lepton_lab.runs.process import python_command
from lepton_lab.serving.engine import Engine

BATCHES = (1, 32)
NUM_ROUNDS = 40
"""Rounds of the comparison; in each, every variant runs a few times in turn, so that other work meets all alike."""
RUNS_PER_ROUND = 5
NUM_WARM = 5
MEMORY_SECONDS = 60.0


@dataclass(frozen=True)
class Quality:
    """How good a network's answers are on the test rows, shares from 0 to 1."""

    accuracy: float
    f1: float
    agreement: float


@dataclass(frozen=True)
class Latency:
    """Seconds of one run at one batch size."""

    median: float
    low: float
    high: float


def predictions(engine: Engine, rows: np.ndarray) -> np.ndarray:
    """The predicted class of each prepared row (N,), int64."""
    found: np.ndarray = engine.run(rows).argmax(1)
    return found


def quality(predicted: np.ndarray, truths: np.ndarray, original: np.ndarray, classes: list[str]) -> Quality:
    """Compares predictions with the truth and with the original network.

    Args:
        predicted: (N,) class numbers.
        truths: (N,) class numbers.
        original: (N,) class numbers that the original network predicts.
        classes: Names of the classes.
    """
    scores = class_scores(confusion_matrix(truths, predicted, len(classes)), classes)
    accuracy, agreement = float((predicted == truths).mean()), float((predicted == original).mean())
    return Quality(accuracy, averages(scores)["f1_macro"], agreement)


def latencies(runs: Mapping[str, Callable[[np.ndarray], object]], rows: np.ndarray) -> dict[str, dict[int, Latency]]:
    """Seconds of a run for each variant and batch size; all variants take turns.

    Args:
        runs: What runs a batch, by variant.
        rows: At least 32 prepared rows, or as many as there are.
    """
    found: dict[str, dict[int, Latency]] = {name: {} for name in runs}
    for size in BATCHES:
        batch = np.ascontiguousarray(np.resize(rows, (size, *rows.shape[1:])))
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
