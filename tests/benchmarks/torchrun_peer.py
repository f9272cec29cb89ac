"""What PyTorch's tutorials make of a run on several processes: DistributedDataParallel, started by torchrun.

`torchrun ... torchrun_peer.py FOLDER`: trains on `rows.npy` and `labels.npy` of the folder, saves a checkpoint every 20
steps, begins from it, and writes a line into `steps.txt` after each step of rank 0: time, process.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

BATCH_SIZE, CHECKPOINT_STEPS = 64, 20


def block(num_in: int, num_out: int, *, halve: bool) -> list[nn.Module]:
    """The blocks of our own `cnn`."""
    pool = [nn.MaxPool2d(2)] if halve else []
    return [nn.Conv2d(num_in, num_out, 3, padding=1, bias=False), *pool, nn.BatchNorm2d(num_out), nn.ReLU()]


def main(folder: Path) -> None:
    """Trains until it is ended."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    (folder / f"rank-{rank}.pid").write_text(str(os.getpid()))
    rows = torch.from_numpy(np.load(folder / "rows.npy"))
    labels = torch.from_numpy(np.load(folder / "labels.npy"))
    data = TensorDataset(rows, labels)
    sampler: DistributedSampler[object] = DistributedSampler(data)
    loader = DataLoader(data, batch_size=BATCH_SIZE // dist.get_world_size(), sampler=sampler)
    layers = [*block(1, 32, halve=True), *block(32, 32, halve=False)]
    layers += [*block(32, 64, halve=True), *block(64, 64, halve=False)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    model = DistributedDataParallel(nn.Sequential(*layers))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    saved = folder / "checkpoint.pt"
    step = 0
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    loss_of = nn.CrossEntropyLoss()
    while True:
        sampler.set_epoch(step)
        for inputs, wanted in loader:
            optimizer.zero_grad()
            loss_of(model(inputs), wanted).backward()
            optimizer.step()
            step += 1
            if rank == 0:
                with open(folder / "steps.txt", "a") as steps:
                    steps.write(f"{time.time()} {os.getpid()}\n")
                if step % CHECKPOINT_STEPS == 0:
                    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
                    torch.save(state, folder / "checkpoint.new")
                    os.replace(folder / "checkpoint.new", saved)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
