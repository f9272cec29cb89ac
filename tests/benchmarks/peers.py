"""The peer: a training loop as PyTorch's own beginner tutorial writes it, over a DataLoader, with torch.optim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lepton_lab.data import load
from lepton_lab.models.registry import build
from lepton_lab.runs import RunRecord, Store

if TYPE_CHECKING:
    from lepton_lab.session import Run


def tutorial_figures(run: Run, *, epochs: int) -> tuple[float, float]:
    """What the tutorial loop reaches with a run's network, data and batch size, in a process of its own.

    Args:
        run: A finished run.
        epochs: Passes over the training rows.

    Returns:
        Seconds of training and accuracy on the test part.
    """
    job = [sys.executable, "-m", "tests.benchmarks.peers", str(run.record.store.root), run.id, str(epochs)]
    env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(job, capture_output=True, text=True, check=True, env=env)
    seconds, accuracy = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(accuracy)


def _main(store: str, run_id: str, epochs: str) -> None:
    record = RunRecord(Store(store), run_id)
    spec = record.spec()
    dataset = load(spec.data, record.store)
    started = next(event for event in record.events() if event["type"] == "RunStarted")
    parts = {}
    for name in ("train", "test"):
        split = dataset.splits[name]
        inputs = torch.from_numpy(dataset.preparation.apply(split.inputs))
        parts[name] = (inputs, torch.from_numpy(split.labels.copy()))
    torch.manual_seed(0)
    module = build(spec.model, dataset.problem)
    print(json.dumps(tutorial_loop(module, parts, epochs=int(epochs), batch_size=started["batch_size"])))


def tutorial_loop(module: nn.Module, parts: dict[str, Any], *, epochs: int, batch_size: int) -> tuple[float, float]:
    """Trains `module` the tutorial's way.

    Args:
        module: The same network as ours, freshly initialised.
        parts: "train" and "test", each (inputs float32 (N, ...), labels int64 (N,)) as tensors.
        epochs: Passes over the training rows.
        batch_size: Rows per step, the same as ours.

    Returns:
        Seconds of training (data loading included, evaluation not) and accuracy on the test part.
    """
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*parts["train"]), batch_size=batch_size, shuffle=True)
    loss_of, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(module.parameters(), lr=1e-3)
    start = time.perf_counter()
    for _ in range(epochs):
        module.train()
        for inputs, labels in loader:
            loss = loss_of(module(inputs), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
    seconds = time.perf_counter() - start
    return seconds, _accuracy(module, parts["test"])


def _accuracy(module: nn.Module, part: tuple[torch.Tensor, torch.Tensor]) -> float:
    """The share of rows whose largest output is the label."""
    module.eval()
    right = 0
    with torch.no_grad():
        for inputs, labels in DataLoader(TensorDataset(*part), batch_size=512):
            right += int((module(inputs).argmax(1) == labels).sum())
    return right / len(part[1])


if __name__ == "__main__":
    _main(*sys.argv[1:])
