"""`python -m lepton_lab.compression.memory FOLDER`: prints the bytes that a bundle takes in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from lepton_lab.serving.bundle import load
from lepton_lab.serving.engine import Engine, open_session
from lepton_lab.serving.onnx_guard import opset_of

BATCH_ROWS = 32


def main(folder: str) -> int:
    """Loads the bundle twice, and counts the second time: the first one pays for the libraries."""
    process = psutil.Process()
    bundle = load(Path(folder))
    first = open_session(bundle.model, 1)
    opset_of(bundle.model)
    before = process.memory_info().rss
    engine = Engine(bundle, threads=1)
    engine.run(engine.blank(BATCH_ROWS))
    after = process.memory_info().rss
    del first
    print(max(0, after - before))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
