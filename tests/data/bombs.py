"""Small files that unpack to more than a machine has: `python -m tests.data.bombs FOLDER` loads each, and says how.

Each is loaded by its path, as a person would, in a process of its own; one JSON line a bomb: what was said, the
processor seconds until then, by how many kilobytes the memory grew, and how many bytes were written.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import resource
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from lepton_lab.data import load
from lepton_lab.errors import LeptonError
from lepton_lab.specs import DataSpec

ROOT = Path(__file__).resolve().parents[2]
MOST_KILOBYTES, MOST_WRITTEN = 200_000, 200_000_000


def zip_bomb(path: Path, announced: int = 4_000_000_000) -> None:
    """A zip file of 40 kB that holds 40 MB of zeros, and announces another number of them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.bin", bytes(40_000_000))
    raw = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(mark) + place, announced)
    path.write_bytes(raw)


def overlapping_bomb(path: Path) -> None:
    """Members that announce little and share one packed body (Fifield 2019): refused by what they announce in all."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(30_000_000))
    raw = body.getvalue()
    end = raw.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", raw[end + 16 : end + 20])[0]
    entry = raw[start:end]
    entries = b"".join(entry[:46] + bytes([65 + n % 26]) + entry[47:] for n in range(26))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 26, 26, len(entries), start, 0)
    path.write_bytes(raw[:start] + entries + tail)


def tar_bomb(path: Path, opened: Callable[..., Any]) -> None:
    """A packed tar whose member announces 8 GB of zeros."""
    info = tarfile.TarInfo("zeros")
    info.size = 8 * 10**9
    with opened(path, "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(8):
            out.write(bytes(2**20))


def header_bomb(path: Path) -> None:
    """A tar whose extended header announces 4 GB: a reader that trusts it takes them all into memory."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 4 * 10**9
    with gzip.open(path, "wb") as out:
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(8):
            out.write(bytes(2**20))


def npz_bomb(path: Path) -> None:
    """60 MB of zeros in 60 kB."""
    np.savez_compressed(path, x=np.zeros((60_000_000,), np.uint8), y=np.zeros(3))


def idx_bomb(path: Path) -> None:
    """An IDX file that announces 4.7 GB."""
    with gzip.open(path, "wb") as out:
        out.write(struct.pack(">HBBIII", 0, 8, 3, 60_000, 280, 280))
        for _ in range(8):
            out.write(bytes(2**20))
    with gzip.open(path.with_name(path.name.replace("images-idx3", "labels-idx1")), "wb") as out:
        out.write(struct.pack(">HBBI", 0, 8, 1, 60_000) + bytes(60_000))


def png_bomb(width: int, height: int) -> bytes:
    """A small PNG file that announces a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def picture_bomb(path: Path) -> None:
    """Two class folders; one picture announces 64,000 x 64,000 pixels."""
    for label in "ab":
        (path / label).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (9, 9), (number, 0, 0)).save(path / label / f"{number}.png")
    (path / "a" / "1.png").write_bytes(png_bomb(64_000, 64_000))


def jpeg_bomb(path: Path) -> None:
    """The same as a JPEG file, whose header is changed to 65,500 x 65,500 pixels."""
    picture_bomb(path)
    (path / "a" / "1.png").unlink()
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    raw = bytearray(buffer.getvalue())
    struct.pack_into(">HH", raw, raw.index(b"\xff\xc0") + 5, 65_500, 65_500)
    (path / "a" / "1.jpg").write_bytes(raw)


def packed_pictures(path: Path) -> None:
    """A zip file with a picture that announces 64,000 x 64,000 pixels."""
    with zipfile.ZipFile(path, "w") as archive:
        for label in "ab":
            for number in range(3):
                archive.writestr(f"{label}/{number}.png", png_bomb(*(2 * [9 if number else 64_000])))


def sound_bomb(path: Path) -> None:
    """A folder with a FLAC file that announces 2**36 - 1 samples."""
    for label in "ab":
        (path / label).mkdir(parents=True)
        for number in range(3):
            soundfile.write(path / label / f"{number}.flac", np.zeros(900) + 0.1 * number, 8000)
    raw = bytearray((path / "a" / "1.flac").read_bytes())
    raw[21] |= 0x0F
    raw[22:26] = b"\xff\xff\xff\xff"
    (path / "a" / "1.flac").write_bytes(raw)


def parquet_bomb(path: Path) -> None:
    """Thirty million equal rows, which Parquet packs into some kilobytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    zeros = pa.table({"a": np.zeros(2_000_000, np.int64), "label": np.zeros(2_000_000, np.int64)})
    with pq.ParquetWriter(path, zeros.schema, compression="zstd", data_page_size=2**30) as out:
        for _ in range(16):
            out.write_table(zeros, row_group_size=len(zeros))


def arrow_bomb(path: Path, opened: str) -> None:
    """Thirty million equal rows in packed batches."""
    import pyarrow as pa

    zeros = pa.table({"a": np.zeros(2_000_000, np.int64), "label": np.zeros(2_000_000, np.int64)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with getattr(pa.ipc, opened)(path, zeros.schema, options=options) as out:
        for _ in range(16):
            out.write_table(zeros)


BOMBS: dict[str, Callable[[Path], None]] = {
    "bomb.zip": zip_bomb,
    "liar.zip": lambda path: zip_bomb(path, 1000),
    "overlap.zip": overlapping_bomb,
    "pictures.zip": packed_pictures,
    "bomb.tar.gz": lambda path: tar_bomb(path, gzip.open),
    "bomb.tar.xz": lambda path: tar_bomb(path, lzma.open),
    "header.tar.gz": header_bomb,
    "bomb.npz": npz_bomb,
    "train-images-idx3-ubyte.gz": idx_bomb,
    "pictures": picture_bomb,
    "photographs": jpeg_bomb,
    "sounds": sound_bomb,
    "bomb.parquet": parquet_bomb,
    "bomb.arrow": lambda path: arrow_bomb(path, "new_file"),
    "stream.arrow": lambda path: arrow_bomb(path, "new_stream"),
}
"""How each is made; by the name of its file or folder."""


@dataclass(frozen=True)
class Refusal:
    """What came of a bomb.

    Attributes:
        name: Its file.
        said: The error's sentence; "" when it was loaded.
        seconds: Processor seconds until then.
        kilobytes: By how much the memory grew.
        written: Bytes that were left on disk.
    """

    name: str
    said: str
    seconds: float
    kilobytes: int
    written: int

    @property
    def holds(self) -> bool:
        """Whether it was refused by name, with little memory and nothing much on disk."""
        return bool(self.said) and self.kilobytes < MOST_KILOBYTES and self.written < MOST_WRITTEN


def refusals(folder: Path) -> list[Refusal]:
    """Makes and loads every bomb."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", "tests.data.bombs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return [Refusal(**json.loads(line)) for line in done.stdout.splitlines()]


def _tried(path: Path) -> Refusal:
    """Loads a bomb and takes note; in a child of a process that has imported all there is to import."""
    store = SimpleNamespace(root=path.parent / f"store-{path.name}")
    before, start, said = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), ""
    try:
        load(DataSpec(name=str(path)), store)
    except LeptonError as error:
        said = str(error)
    seconds = time.process_time() - start
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    written = sum(file.stat().st_size for file in store.root.rglob("*") if file.is_file())
    return Refusal(path.name, said, round(seconds, 4), kilobytes, written)


def main() -> None:
    """Makes and tries all bombs in a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in BOMBS.items():
        path = folder / name.replace("/", "-")
        for part in (make, lambda path: print(json.dumps(asdict(_tried(path))), flush=True)):
            # A child each: what the making took is not counted, and the memory of one bomb is not that of the next.
            if (child := os.fork()) == 0:
                part(path)
                sys.stdout.flush()
                os._exit(0)
            if os.waitpid(child, 0)[1]:
                print(json.dumps(asdict(Refusal(name, "", 0.0, 0, 0))), flush=True)


if __name__ == "__main__":
    main()
