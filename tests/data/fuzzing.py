"""Broken files by the thousand: `python -m tests.data.fuzzing SECONDS FIRST LAST` loads each and says what came of it.

Every case is made from its number alone, so a case that fails can be made again. Each prints one line before it is
tried and one after, so that whoever reads along knows the case at which a process died or hung.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import signal
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from PIL import Image

from lepton_lab.data import load
from lepton_lab.data.dataset import PreparedDataset
from lepton_lab.errors import LeptonError
from lepton_lab.specs import DataSpec

KINDS = ("csv", "png", "jpeg", "wav", "parquet", "npz", "idx", "zip")
SAYS_SO = ("left_out", "dropped", "missing", "skipped", "ragged", "duplicates", "repaired")
"""Words in the kinds of remarks that tell of rows that are not there."""


@dataclass(frozen=True)
class Case:
    """A whole dataset of which one file is to be broken.

    Attributes:
        spec: Loads it.
        victim: The file.
        rows: How many rows it has while it is whole.
        names: Words of which an error must hold one.
    """

    spec: DataSpec
    victim: Path
    rows: int
    names: tuple[str, ...]


def _pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def _folder(root: Path, end: str, write: Callable[[Path, int], object]) -> Case:
    for number in range(6):
        path = root / "set" / "ab"[number % 2] / f"{number}.{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, number)
    victim = root / "set" / "a" / f"2.{end}"
    return Case(DataSpec(name=str(root / "set")), victim, 6, (f"a/2.{end}",))


def _sound(path: Path, number: int) -> None:
    soundfile.write(path, np.random.default_rng(number).normal(size=400) * 0.2, 8000)


def _table() -> pl.DataFrame:
    draw = np.random.default_rng(0)
    columns = {"a": draw.normal(size=40).round(3), "b": draw.integers(0, 9, 40), "kind": ["x", "yy", "z", "ä"] * 10}
    return pl.DataFrame({**columns, "label": ["no", "yes"] * 20})


def make(kind: str, root: Path) -> Case:
    """A whole dataset of a kind in a folder."""
    root.mkdir(parents=True)
    if kind in ("png", "jpeg"):
        return _folder(root, kind, lambda path, number: Image.fromarray(_pixels(number)).save(path))
    if kind == "wav":
        return _folder(root, kind, _sound)
    victim = root / {"csv": "rows.csv", "parquet": "rows.parquet", "npz": "set.npz", "zip": "set.zip"}.get(
        kind, "train-images-idx3-ubyte.gz"
    )
    rows = 40
    if kind == "csv":
        _table().write_csv(victim)
    elif kind == "parquet":
        _table().write_parquet(victim)
    elif kind == "npz":
        np.savez(victim, x=np.stack([_pixels(n) for n in range(40)]), y=np.arange(40) % 2)
    elif kind == "idx":
        images = np.stack([_pixels(n)[..., 0] for n in range(40)])
        victim.write_bytes(gzip.compress(struct.pack(">HBBIII", 0, 8, 3, *images.shape) + images.tobytes()))
        labels = struct.pack(">HBBI", 0, 8, 1, 40) + (np.arange(40) % 2).astype(np.uint8).tobytes()
        (root / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    else:
        rows = 6
        with zipfile.ZipFile(victim, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(6):
                buffer = io.BytesIO()
                Image.fromarray(_pixels(number)).save(buffer, "PNG")
                archive.writestr(f"{'ab'[number % 2]}/{number}.png", buffer.getvalue())
    return Case(DataSpec(name=str(victim)), victim, rows, (victim.name,))


def mutate(content: bytes, draw: np.random.Generator) -> bytes:
    """Breaks bytes in one of the ways in which files break."""
    broken, size = bytearray(content), len(content)
    start = int(draw.integers(0, size))
    stop = min(size, start + int(draw.integers(1, max(2, size // 4))))
    way = int(draw.integers(0, 9))
    if way <= 2:
        for place in draw.integers(0, size, int(draw.integers(1, 9))):
            broken[place] ^= 1 << int(draw.integers(0, 8))
    elif way == 3:
        for place in draw.integers(0, min(size, 64), 3):  # headers break most of all
            broken[place] = int(draw.integers(0, 256))
    elif way == 4:
        del broken[start:]
    elif way == 5:
        del broken[start:stop]
    elif way == 6:
        broken[start:stop] = bytes(stop - start)
    elif way == 7:
        broken[start:start] = draw.bytes(stop - start)
    else:
        broken[start:start] = broken[start:stop]
    return bytes(broken)


def judge(case: Case, dataset: PreparedDataset) -> str:
    """What is wrong with a dataset that was loaded from a broken file; "" when nothing is."""
    rows = sum(len(part) for part in dataset.splits.values())
    said = any(word in remark["kind"] for remark in dataset.meta["remarks"] for word in SAYS_SO)
    expected = {case.rows}
    if case.victim.suffix == ".csv":
        raw = case.victim.read_bytes()
        if b'"' in raw:  # one quotation mark can make many lines one
            return ""
        lines = [line for line in raw.decode("latin-1").splitlines() if line.strip(" ,\0\t")]
        expected = {len(lines), len(lines) - 1, case.rows}
    if rows >= min(expected) or said:
        return ""
    return f"{rows} of {min(expected)} rows, and no word about it"


def attempt(number: int, folder: Path) -> dict[str, object]:
    """Makes, breaks and loads a case."""
    kind = KINDS[number % len(KINDS)]
    root = folder / f"case{number}"
    case = make(kind, root)
    case.victim.write_bytes(mutate(case.victim.read_bytes(), np.random.default_rng(number)))
    store = type("Store", (), {"root": root / "store"})
    start, wrong, came = time.monotonic(), "", "loaded"
    try:
        dataset = load(case.spec, store)
        dataset.card()
        wrong = judge(case, dataset)
    except LeptonError as error:
        came, message = "refused", str(error)
        if "\n" in message or len(message) > 1500 or not any(name in message for name in case.names):
            wrong = f"{type(error).__name__}: {message[:400]}"
    except Exception as error:
        came, wrong = "raised", f"{type(error).__name__}: {str(error)[:400]}"
    seconds = time.monotonic() - start
    shutil.rmtree(root)
    return {"case": number, "kind": kind, "came": came, "seconds": round(seconds, 3), "wrong": wrong}


def main() -> None:
    """Tries the cases of a range; a case that takes longer than allowed ends the process."""
    limit, first, last = (int(word) for word in sys.argv[1:4])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(prefix="lepton-fuzz-") as folder:
        for number in range(first, last):
            print(json.dumps({"case": number, "kind": KINDS[number % len(KINDS)]}), flush=True)
            signal.alarm(limit)
            print(json.dumps(attempt(number, Path(folder))), flush=True)
            signal.alarm(0)


if __name__ == "__main__":
    main()
