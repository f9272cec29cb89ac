"""What preparing and reading data costs: pictures into the store, the second use, an epoch, padding, little memory."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from lepton_lab.data import load
from lepton_lab.runs import Store
from lepton_lab.session import Host, Session
from lepton_lab.specs import DataSpec
from lepton_lab.training.resident import Rows, place
from lepton_lab.training.sampler import Sampler
from lepton_lab.widgets import display
from tests.benchmarks.rows import Row, row
from tests.data.bombs import refusals
from tests.processes import end_processes_of

NUM_JPEGS = 20_000
JPEG_SIZE = (320, 240)
SIDE = 64
MEMORY_LIMIT = 2**30
MATERIAL = Path(os.environ.get("LEPTON_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@dataclass(frozen=True)
class _Store:
    root: Path


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def write_jpegs(folder: Path, count: int = NUM_JPEGS) -> Path:
    """JPEG files of 320x240 pixels in ten class folders: parts of real photographs, each with a cut of its own."""
    photographs = [Image.open(path).convert("RGB") for path in sorted((MATERIAL / "bccd" / "JPEGImages").iterdir())]
    draw = np.random.default_rng(0)
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        left, top = (int(draw.integers(0, room + 1)) for room in (640 - JPEG_SIZE[0], 480 - JPEG_SIZE[1]))
        cut = photograph.crop((left, top, left + JPEG_SIZE[0], top + JPEG_SIZE[1]))
        place_in = folder / f"class{number % 10}"
        place_in.mkdir(parents=True, exist_ok=True)
        cut.save(place_in / f"{number:05d}.jpg", quality=90)
    return folder


class PillowLoop(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """What tutorials do: open, convert, resize and make a tensor of each file, each time."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob("*/*.jpg"))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        with Image.open(self._files[number]) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div_(255), number % 10


def pictures_into_the_store(count: int = NUM_JPEGS, repeats: int = 3) -> list[Row]:
    """JPEG files a second into the store, against the Pillow loop; and how soon the prepared set starts again."""
    ours, theirs, again = [], [], []
    with _folder() as folder:
        files = write_jpegs(folder / "pictures", count)
        spec = DataSpec(name=str(files), image_size=SIDE)
        for turn in range(repeats):
            store = _Store(folder / f"store{turn}")
            start = time.perf_counter()
            dataset = load(spec, store)
            ours.append(count / (time.perf_counter() - start))
            loader = torch.utils.data.DataLoader(PillowLoop(files), batch_size=64, num_workers=2)
            start = time.perf_counter()
            seen = sum(len(labels) for _, labels in loader)
            theirs.append(count / (time.perf_counter() - start))
            if seen != count or sum(len(part) for part in dataset.splits.values()) != count:
                raise RuntimeError("the loops saw different numbers of files")
            time.sleep(2.5)  # files that were written a moment ago are hashed again, as they must be
            load(spec, store)
            again += [_second_use(spec, store) for _ in range(5)]
    peer = round(statistics.median(theirs))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return [
        row("data", f"{count:,} JPEG files into the store, files/s", ours, "report", pillow_loop=peer),
        row("data", "JPEG files into the store, times the Pillow loop's files/s", ratios, ">= 1.5"),
        row("data", f"second use of a prepared set of {count:,} files, s", again, "< 0.2"),
    ]


def _second_use(spec: DataSpec, store: _Store) -> float:
    """Seconds until a prepared set gives its first batch, in a process that has used it before."""
    start = time.perf_counter()
    dataset = load(spec, store)
    dataset.preparation.apply(dataset.splits["train"].inputs[:64])
    return time.perf_counter() - start


def epoch_over_the_store(repeats: int = 9) -> list[Row]:
    """An epoch of a small network over rows from the store, against the same loop over tensors in memory."""
    with _folder() as folder:
        dataset = load(DataSpec(name="fashion-mnist", mirror=str(MATERIAL)), _Store(folder))
        device = torch.device("cpu")
        rows = place(dataset, "train", device)
        count = 6_000
        part = dataset.splits["train"]
        inputs = torch.from_numpy(dataset.preparation.apply(part.inputs[:count]))
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        labels = torch.from_numpy(np.array(part.labels[:count]))
        sampler = Sampler(count, 64, 0, device)
        stored, memory = [], []
        for turn in range(repeats + 1):  # in turn, so that whatever else the machine does falls on both alike
            stored.append(_epoch(sampler, turn, lambda index: _pair(rows, index)))
            memory.append(_epoch(sampler, turn, lambda index: (inputs[index], labels[index])))
    ratios = [a / b for a, b in zip(stored[1:], memory[1:], strict=True)]
    return [
        row(
            "data",
            "an epoch over the store, times the same loop over tensors in memory (processor time)",
            ratios,
            "<= 1.03",
        )
    ]


def _pair(rows: Rows, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    batch = rows.batch(index)
    return batch.inputs[0], batch.labels


def _epoch(sampler: Sampler, epoch: int, batch_of: object) -> float:
    """Seconds of processor time: both loops do nothing but compute, and other work on the machine does not count."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(784, 10)
    )
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    start = time.process_time()
    for step in range(sampler.steps_per_epoch):
        inputs, labels = batch_of(sampler.rows(epoch * sampler.steps_per_epoch + step))  # type: ignore[operator]
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return time.process_time() - start


def padding() -> list[Row]:
    """Padded tokens of an epoch over real sentences, batches of alike lengths against random ones."""
    with _folder() as folder:
        spec = DataSpec(name=str(MATERIAL / "sentence-polarity" / "sentence_polarity.csv"))
        dataset = load(spec, _Store(folder))
        lengths = torch.from_numpy(np.array(dataset.splits["train"].inputs.lengths))
        device = torch.device("cpu")
        wasted = {}
        for name, given in (("bucketed", lengths), ("random", None)):
            sampler = Sampler(len(lengths), 64, 0, device, given)
            parts = [lengths[sampler.rows(step)] for step in range(sampler.steps_per_epoch)]
            wasted[name] = int(sum(int(part.max()) * len(part) - int(part.sum()) for part in parts))
    ratio = wasted["random"] / max(1, wasted["bucketed"])
    return [row("data", "padded tokens of random batches, times those of bucketed ones", [ratio], ">= 2", **wasted)]


def accuracy_of_alike_batches(seeds: int = 3, epochs: int = 6) -> list[Row]:
    """The same network on the same sentences, with batches of alike lengths and with random ones: test accuracy.

    The real kernel, from a person's call to the report; several seeds, in turn.
    """
    found: dict[str, list[float]] = {"alike": [], "random": []}
    with _folder() as folder:
        session = Session(store=Store(folder).prepare(), host=Host(), who="bench")
        data = session.load_data(str(MATERIAL / "sentence-polarity" / "sentence_polarity.csv"))
        model = session.select_model("rnn", data)
        try:
            for seed in range(seeds):
                for order, accuracies in found.items():
                    run = model.train(wait=True, epochs=epochs, seed=seed, batch_order=order)
                    accuracies.append(float(run.evaluate().to_dict()["accuracy"]))
        finally:
            end_processes_of(folder)
    gain = [a - b for a, b in zip(found["alike"], found["random"], strict=True)]
    mean = {f"{order} batches": round(statistics.mean(accuracies), 4) for order, accuracies in found.items()}
    measure = "sentence-polarity rnn, test accuracy of bucketed batches less that of random ones"
    return [row("data", f"{measure} (mean of {seeds} seeds)", [statistics.mean(gain)], ">= -0.01", **mean)]


def bombs() -> list[Row]:
    """How soon small files that unpack to more than a machine has are refused."""
    with _folder() as folder:
        found = refusals(folder / "bombs")
    slowest = max(refusal.seconds for refusal in found)
    return [
        row("data", "bombs that were not refused by name within 200 MB", [sum(not r.holds for r in found)], "== 0"),
        row("data", f"slowest refusal of {len(found)} bombs, processor s", [slowest], "< 1"),
    ]


LIMITED = """
import json, resource, sys, time
folder, inputs, limit, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
from lepton_lab.runs import Store
from lepton_lab.session import Host, Session
session = Session(store=Store(folder).prepare(), host=Host(), who="bench")
data = session.load_data(inputs, validation_fraction=0.01, test_fraction=0.01)
run = session.select_model("cnn", data, channels=8).train(wait=False, epochs=1000, batch_size=128)
deadline, speeds = time.monotonic() + 120, []
while time.monotonic() < deadline and run.summary.state in ("queued", "starting", "running"):
    time.sleep(0.5)
    if run.summary.samples_per_second and run.summary.elapsed_seconds > 2:
        speeds.append(run.summary.samples_per_second)
        if run.summary.elapsed_seconds > seconds:
            break
state, message = run.summary.state, run.summary.message
run.stop()
speeds.sort()
print(json.dumps({"state": state, "message": message, "speed": speeds[len(speeds) // 2] if speeds else 0.0}))
"""
"""Trains for some seconds in processes that all inherit the limit, and says how many rows a second they made."""


def little_memory(num_rows: int = 3 * MEMORY_LIMIT // (3 * SIDE * SIDE), seconds: float = 25.0) -> list[Row]:
    """A set of three times the memory limit, trained within it, against one that fits without a limit, rows a second.

    The limit is of data (RLIMIT_DATA) in every process: the kernel's, the supervisor's and the worker's.
    """
    speeds = {}
    for name, count, limit in (("fits", num_rows // 16, 0), ("limited", num_rows, MEMORY_LIMIT)):
        with _folder() as folder:
            _write_noise(folder, count)
            command = [
                sys.executable,
                "-c",
                LIMITED,
                str(folder / "store"),
                str(folder / "x.npy"),
                str(limit),
                str(seconds),
            ]
            done = subprocess.run(command, capture_output=True, text=True)
            end_processes_of(folder / "store")
            said = json.loads(done.stdout.strip().splitlines()[-1]) if not done.returncode else {}
            if said.get("state") != "running":
                raise RuntimeError(f"{name}: {said or done.stderr[-2000:]}")
            speeds[name] = round(said["speed"])
    size = num_rows * 3 * SIDE * SIDE / 2**30
    measure = f"rows/s of {size:.1f} GiB within 1 GiB of memory, times those of a set that fits"
    return [row("data", measure, [speeds["limited"] / speeds["fits"]], ">= 0.5", **speeds)]


def _write_noise(folder: Path, count: int) -> None:
    """Pictures of noise and labels, in files."""
    draw = np.random.default_rng(0)
    shape = (count, 3, SIDE, SIDE)
    inputs = np.lib.format.open_memmap(folder / "x.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, count, 4096):
        part = inputs[start : start + 4096]
        part[:] = np.frombuffer(draw.bytes(part.size), np.uint8).reshape(part.shape)
    inputs.flush()
    np.save(folder / "y.npy", draw.integers(0, 10, count))


ONE_LINERS: dict[str, tuple[dict[str, object], str, int | None]] = {
    "fashion-mnist": ({}, "classification", 70_000),
    "sign-language-digits": ({}, "classification", 1_000),
    "bccd": ({}, "detection", 292),
    "free-spoken-digit": ({"pattern": "{label}_{speaker}_{index}"}, "classification", 3_000),
    "sentence-polarity": ({}, "classification", 10_662),
    "clinc150": ({}, "classification", 23_700),
    "names-by-nationality": ({}, "classification", 20_050),
    "tiny-shakespeare": ({}, "language", None),
    "adult": ({}, "classification", 48_842),
    "wine-quality/red.csv": ({"target": "quality", "task": "regression"}, "regression", 1_599),
    "wine-quality/white.csv": ({"target": "quality", "task": "regression"}, "regression", 4_898),
    "ett/ETTh1.csv": ({"window": 336, "horizon": 96}, "forecasting", None),
    "ett/ETTh2.csv": ({"window": 336, "horizon": 96}, "forecasting", None),
    "airline": ({}, "forecasting", None),
    "movietweetings-100k": ({}, "rating", 100_000),
    "ucr-uea/GunPoint_TRAIN.ts": ({}, "classification", 200),
    "ucr-uea/ItalyPowerDemand_TRAIN.ts": ({}, "classification", 1_096),
    "ucr-uea/BasicMotions_TRAIN.ts": ({}, "classification", 80),
    "ucr-uea/JapaneseVowels_TRAIN.ts": ({}, "classification", 640),
}
"""Every real set: its options, task, and rows (windows of series and corpora are not rows of a README)."""


def sets() -> list[Row]:
    """Real sets that one line loads with the task and the rows of their README, and that show a card."""
    wrong = []
    with _folder() as folder:
        session = Session(store=Store(folder).prepare(), host=Host(), who="bench")
        for path, (options, task, rows) in ONE_LINERS.items():
            data = session.load_data(str(MATERIAL / path), **options)
            shown = display.bundle(data)["text/html"]
            is_right = data.prepared.task == task and rows in (None, sum(data.num_rows.values()))
            if not is_right or len(data.card.samples) != 12 or "Samples" not in shown:
                wrong.append(path)
        end_processes_of(folder)
    measure = f"of {len(ONE_LINERS)} real sets: without the right task, rows and card from one line"
    return [row("data", measure, [len(wrong)], "== 0", **{path: "wrong" for path in wrong})]


def measure() -> list[Row]:
    """All figures of issue "data"."""
    found: list[Row] = []
    for take in (
        pictures_into_the_store,
        epoch_over_the_store,
        padding,
        accuracy_of_alike_batches,
        little_memory,
        bombs,
        sets,
    ):
        found += take()
    return found
