"""How long it takes to reach an accuracy: the kernel beside the tutorial loop, each in a process of its own.

`python -m tests.benchmarks.reaching (kernel|tutorial) SET FOLDER SEED` trains on a set of `SETS` from a folder of test
sets and prints JSON: seconds and processor seconds of training (evaluation of the test part not counted), epochs, the
accuracy reached on the test part and the peak of the process's memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, TensorDataset

from lepton_lab.data import load
from lepton_lab.data.rows import Ragged
from lepton_lab.evaluation.report import evaluate
from lepton_lab.models.registry import build
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.specs import DataSpec, ModelSpec, TrainSpec
from lepton_lab.training.loop import train


@dataclass(frozen=True)
class Task:
    """A set with its options, its network, the accuracy to reach, and the epochs and options the kernel is given."""

    path: str
    model: str
    accuracy: float
    epochs: int
    options: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)


SETS = {
    "fashion-mnist": Task("fashion-mnist", "cnn", 0.91, 2),
    "fashion-mnist-muon": Task("fashion-mnist", "cnn", 0.91, 1, train={"optimizer": "muon"}),
    "sentence-polarity": Task("sentence-polarity/sentence_polarity.csv", "rnn", 0.76, 2, {"test_fraction": 0.1}),
}
"""As few epochs as reach the accuracy with each of three seeds."""

BATCH_SIZE, MOST_EPOCHS = 64, 8


def dataset_of(task: Task, material: Path, store: Store) -> Any:
    """The prepared set."""
    if task.path in SETS:
        return load(DataSpec(name=task.path, mirror=str(material)), store)
    return load(DataSpec(name=str(material / task.path), **task.options), store)


def kernel(task: Task, material: Path, store: Store, seed: int) -> dict[str, float]:
    """The kernel with its own choices, events and checkpoints on disk."""
    from tests.training.training_lab import Script

    dataset = dataset_of(task, material, store)
    with tempfile.TemporaryDirectory() as folder, EventLog.open_writer(Path(folder)) as events:
        events.append("RunStarting", pid=0, attempt=1, warm=False)
        began = time.process_time()
        options = TrainSpec(epochs=task.epochs, batch_size=BATCH_SIZE, seed=seed, **task.train)
        outcome = train(Path(folder), dataset, ModelSpec(name=task.model), options, events=events, control=Script())
        cpu = time.process_time() - began
    peak = peak_mb()
    return {
        "seconds": outcome.seconds,
        "cpu_seconds": cpu,
        "epochs": task.epochs,
        "accuracy": evaluate(outcome.module, dataset)["accuracy"],
        "peak_mb": peak,
    }


def tutorial(task: Task, material: Path, store: Store, seed: int) -> dict[str, float]:
    """DataLoader, Adam, loss.item(), an epoch at a time until the test part says it is enough."""
    torch.manual_seed(seed)
    dataset = dataset_of(task, material, store)
    module = build(ModelSpec(name=task.model), dataset.problem)
    train_loader, test_loader = loaders(dataset)
    loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(module.parameters(), lr=1e-3)
    seconds = cpu = accuracy = 0.0
    epoch = 0
    while accuracy < task.accuracy and epoch < MOST_EPOCHS:
        began, began_cpu = time.perf_counter(), time.process_time()
        module.train()
        for *inputs, labels in train_loader:
            answers = module(*inputs)
            if answers.ndim > 2:  # members answer each for itself
                answers, labels = answers.flatten(0, 1), labels.repeat_interleave(answers.shape[1])
            loss = loss_of(answers, labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
        seconds, cpu, epoch = seconds + time.perf_counter() - began, cpu + time.process_time() - began_cpu, epoch + 1
        accuracy = accuracy_of(module, test_loader)
        print(f"epoch {epoch}: {accuracy:.4f} after {cpu:.1f} processor seconds", file=sys.stderr, flush=True)
    return {"seconds": seconds, "cpu_seconds": cpu, "epochs": epoch, "accuracy": accuracy, "peak_mb": peak_mb()}


def loaders(dataset: Any) -> Iterator[DataLoader[Any]]:
    """A loader of the training part and one of the test part, the tutorial's way."""
    for name in ("train", "test"):
        split, is_train = dataset.splits[name], name == "train"
        labels = torch.from_numpy(split.labels[:].copy())
        if isinstance(split.inputs, Ragged):
            sentences = [torch.from_numpy(row.astype("int64")) for row in split.inputs]
            pairs: Any = list(zip(sentences, labels, strict=True))
            yield DataLoader(pairs, batch_size=BATCH_SIZE, shuffle=is_train, collate_fn=padded)
        else:
            inputs = torch.from_numpy(dataset.preparation.apply(split.inputs))
            yield DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=is_train)


def padded(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Sentences padded to the longest of the batch, their lengths, and their labels."""
    sentences = [sentence for sentence, _ in pairs]
    lengths = torch.tensor([max(1, len(sentence)) for sentence in sentences])
    return pad_sequence(sentences, batch_first=True), lengths, torch.stack([label for _, label in pairs])


def accuracy_of(module: nn.Module, loader: DataLoader[Any]) -> float:
    """The share of rows whose largest output is the label."""
    module.eval()
    right = rows = 0
    with torch.no_grad():
        for *inputs, labels in loader:
            right += int((module(*inputs).argmax(1) == labels).sum())
            rows += len(labels)
    return right / rows


def peak_mb() -> float:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main(who: str, name: str, material: str, store: str, seed: str) -> None:
    """Runs one side; see the module."""
    task = SETS[name]
    side = {"kernel": kernel, "tutorial": tutorial}[who]
    print(json.dumps(side(task, Path(material).resolve(), Store(store).prepare(), int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
