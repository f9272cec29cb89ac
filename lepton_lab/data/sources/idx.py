"""Fashion-MNIST from its official IDX files (Xiao, Rasul, Vollgraf, arXiv:1708.07747)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from lepton_lab.data.download import obtain
from lepton_lab.data.material import ImageMaterial, Material, Progress
from lepton_lab.data.registry import DATASETS
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot
from lepton_lab.errors import DataError

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MAX_BYTES = 2**31
"""The most that one IDX file may unpack to."""


class FashionMnist(Source):
    """70,000 pictures of clothing; the official test part is kept."""

    uses = frozenset({"mirror"})

    def identity(self, store: HasRoot) -> str:
        return "fashion-mnist/" + "/".join(file.sha256 for file in DATASETS["fashion-mnist"].files)

    def read(self, store: HasRoot, progress: Progress) -> Material:
        files = obtain(DATASETS["fashion-mnist"], store, self.spec.mirror, progress)
        progress("Reading Fashion-MNIST", None)
        images = [read_idx(files[f"{part}-images-idx3-ubyte.gz"]) for part in ("train", "t10k")]
        labels = [read_idx(files[f"{part}-labels-idx1-ubyte.gz"]) for part in ("train", "t10k")]
        num_train, num_test = len(labels[0]), len(labels[1])
        return ImageMaterial(
            classes=list(CLASSES),
            labels=np.concatenate(labels).astype(np.int64),
            row_ids=np.concatenate([np.arange(num_train), np.arange(num_test)]),
            official={"train": np.arange(num_train), "test": np.arange(num_train, num_train + num_test)},
            images=np.concatenate(images)[:, None],
        )


def read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file of unsigned bytes, gzip or plain (format: the MNIST page of Y. LeCun).

    Raises:
        DataError: Names the file when it is damaged, of another type, or unpacks to more than `MAX_BYTES`.
    """
    try:
        packed = path.read_bytes()[:2] == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            zero, kind, num_dimensions = struct.unpack(">HBB", stream.read(4))
            if zero or kind != 8 or not 1 <= num_dimensions <= 4:
                raise DataError(f"{str(path)!r} is not an IDX file of unsigned bytes.")
            shape = struct.unpack(f">{num_dimensions}I", stream.read(4 * num_dimensions))
            num_bytes = math.prod(shape)
            if num_bytes > MAX_BYTES:
                raise DataError(f"{str(path)!r} announces {num_bytes:,} bytes; at most {MAX_BYTES:,} are read.")
            content = stream.read(num_bytes + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{str(path)!r} is damaged ({error}); get it again.") from None
    if len(content) != num_bytes:
        raise DataError(f"{str(path)!r} has not the {num_bytes:,} bytes that its header announces; get it again.")
    return np.frombuffer(content, np.uint8).reshape(shape)
