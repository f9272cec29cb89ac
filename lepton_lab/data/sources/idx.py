"""Fashion-MNIST from its official IDX files (Xiao, Rasul, Vollgraf, arXiv:1708.07747)."""

from __future__ import annotations

import numpy as np

from lepton_lab.data.array_files import read_idx
from lepton_lab.data.download import obtain
from lepton_lab.data.material import ImageMaterial, Material, Progress
from lepton_lab.data.registry import DATASETS
from lepton_lab.data.sources.base import Source
from lepton_lab.data.storage import HasRoot

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
