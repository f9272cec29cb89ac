"""One small network, trained by the kernel and by its peers as their own tutorials write it, live accuracy on.

`python -m tests.benchmarks.frameworks NAME` trains for three epochs on one thread and prints, as JSON, the processor
microseconds and the microseconds of wall time that a step took in the last two of them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

NUM_ROWS, NUM_FEATURES, NUM_CLASSES, BATCH_SIZE, NUM_EPOCHS = 8192, 32, 10, 32, 3
STEPS_PER_EPOCH = NUM_ROWS // BATCH_SIZE
NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, rows):
        return self.layers(rows)
"""
_NAMES: dict[str, Any] = {"nn": nn}
exec(NET, _NAMES)
Net: type[nn.Module] = _NAMES["Net"]

Marks = list[tuple[float, float]]


def rows() -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, F) float32 and their classes (N,), linear in the rows."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(NUM_ROWS, NUM_FEATURES)).astype(np.float32)
    return inputs, (inputs @ generator.normal(size=(NUM_FEATURES, NUM_CLASSES))).argmax(1)


def mark(marks: Marks) -> None:
    """Notes processor and wall time at the end of an epoch."""
    marks.append((time.process_time(), time.perf_counter()))


def bare_steps(make: Callable[..., torch.optim.Optimizer] = torch.optim.Adam, **options: Any) -> Iterator[None]:
    """A loop over resident tensors, without accuracy, without anything: one step a turn."""
    inputs, labels = map(torch.from_numpy, rows())
    module, loss_of = Net(), nn.CrossEntropyLoss()
    optimizer = make(module.parameters(), lr=1e-3, **options)
    while True:
        for index in torch.randperm(NUM_ROWS).split(BATCH_SIZE):
            loss = loss_of(module(inputs[index]), labels[index])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield


def kernel_steps(folder: Path, num_epochs: int) -> Iterator[None]:
    """The kernel, with its events on disk as a worker has them: one step a turn."""
    from lepton_lab.data.targets import Target
    from lepton_lab.runs.events import EventLog
    from lepton_lab.specs import ModelSpec, Problem, TrainSpec
    from lepton_lab.training.loop import Training
    from tests.training.training_lab import Script

    inputs, labels = rows()
    classes = tuple(str(k) for k in range(NUM_CLASSES))
    dataset: Any = SimpleNamespace(
        name="bench",
        task="classification",
        problem=Problem("classification", "table", (NUM_FEATURES,), (NUM_CLASSES,), classes=classes),
        target=Target("classification", classes),
        classes=list(classes),
        preparation=SimpleNamespace(apply=np.asarray),
        splits={"train": SimpleNamespace(inputs=inputs, labels=labels)},
    )
    options = TrainSpec(
        epochs=num_epochs, batch_size=BATCH_SIZE, learning_rate=1e-3, threads=1, optimizer="adam", device="cpu"
    )
    model = ModelSpec(name="net", source=NET, class_name="Net")
    with EventLog.open_writer(folder) as events:
        events.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
        training = Training(folder, dataset, model, options, events, Script(), time.monotonic)
        training._announce()
        while not training._is_done():
            training._take_step()
            yield


def _steps(steps: Iterator[None], marks: Marks) -> None:
    for _ in range(NUM_EPOCHS):
        for _ in range(STEPS_PER_EPOCH):
            next(steps)
        mark(marks)


def bare(marks: Marks) -> None:
    """The bare loop with torch's own Adam."""
    _steps(bare_steps(), marks)


def bare_fused(marks: Marks) -> None:
    """The bare loop with torch's fused Adam, the fastest there is."""
    _steps(bare_steps(fused=True), marks)


def kernel(marks: Marks) -> None:
    """The training kernel of this project."""
    with tempfile.TemporaryDirectory() as folder:
        _steps(kernel_steps(Path(folder), NUM_EPOCHS + 1), marks)


def pytorch(marks: Marks) -> None:
    """PyTorch's quickstart: DataLoader, Adam, the running loss and accuracy as numbers."""
    inputs, labels = map(torch.from_numpy, rows())
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=True)
    module, loss_of = Net(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(NUM_EPOCHS):
        module.train()
        running, right = 0.0, 0.0
        for batch, truth in loader:
            scores = module(batch)
            loss = loss_of(scores, truth)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            running += loss.item()
            right += (scores.argmax(1) == truth).float().sum().item()
        mark(marks)


def lightning(marks: Marks) -> None:
    """Lightning, with its progress bar, logger and checkpoints off."""
    import logging

    import lightning as pl
    from torchmetrics.classification import MulticlassAccuracy

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Classifier(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.accuracy = Net(), MulticlassAccuracy(NUM_CLASSES, average="micro")

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            inputs, truth = batch
            scores = self.net(inputs)
            loss = nn.functional.cross_entropy(scores, truth)
            self.accuracy(scores, truth)
            self.log("train_loss", loss)
            self.log("train_accuracy", self.accuracy, on_step=True)
            return loss

        def on_train_epoch_end(self) -> None:
            mark(marks)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    inputs, labels = map(torch.from_numpy, rows())
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=True)
    trainer = pl.Trainer(
        max_epochs=NUM_EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Classifier(), loader)


def keras(marks: Marks) -> None:
    """Keras on torch: compile and fit."""
    import keras as k

    inputs, labels = rows()
    layers = [k.layers.Dense(64, "relu"), k.layers.Dense(64, "relu"), k.layers.Dense(NUM_CLASSES)]
    model = k.Sequential([k.Input((NUM_FEATURES,)), *layers])
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    ends = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: mark(marks))
    model.fit(inputs, labels, batch_size=BATCH_SIZE, epochs=NUM_EPOCHS, verbose=0, callbacks=[ends])


def skorch(marks: Marks) -> None:
    """skorch: a classifier with the accuracy of the training rows."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback, EpochScoring

    class Ends(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            mark(marks)

    inputs, labels = rows()
    accuracy = EpochScoring("accuracy", name="train_accuracy", on_train=True, lower_is_better=False)
    net = NeuralNetClassifier(
        Net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=BATCH_SIZE,
        max_epochs=NUM_EPOCHS,
        train_split=None,
        iterator_train__shuffle=True,
        callbacks=[accuracy, Ends()],
        verbose=0,
    )
    net.fit(inputs, labels)


def ignite(marks: Marks) -> None:
    """Ignite: the supervised trainer with accuracy and a running loss."""
    from ignite.engine import Events, create_supervised_trainer
    from ignite.metrics import Accuracy, RunningAverage

    inputs, labels = map(torch.from_numpy, rows())
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=BATCH_SIZE, shuffle=True)
    module = Net()
    trainer = create_supervised_trainer(
        module,
        torch.optim.Adam(module.parameters(), lr=1e-3),
        nn.CrossEntropyLoss(),
        output_transform=lambda x, truth, scores, loss: (scores, truth, loss.item()),
    )
    Accuracy(output_transform=lambda said: said[:2]).attach(trainer, "accuracy")
    RunningAverage(output_transform=lambda said: said[2]).attach(trainer, "loss")
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: mark(marks))
    trainer.run(loader, max_epochs=NUM_EPOCHS)


LOOPS: dict[str, Callable[[Marks], None]] = {
    "kernel": kernel,
    "bare": bare,
    "bare_fused": bare_fused,
    "pytorch": pytorch,
    "lightning": lightning,
    "keras": keras,
    "skorch": skorch,
    "ignite": ignite,
}


def main(name: str) -> None:
    """Runs one loop; see the module."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    marks: Marks = []
    LOOPS[name](marks)
    (cpu, wall), (cpu_end, wall_end) = marks[0], marks[-1]
    steps = STEPS_PER_EPOCH * (NUM_EPOCHS - 1)
    print(json.dumps({"cpu": (cpu_end - cpu) / steps * 1e6, "wall": (wall_end - wall) / steps * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1])
