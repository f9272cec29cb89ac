"""`python -m tests.benchmarks`: measures everything and writes `bench.json`; exit code 1 where a goal is missed."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import runs, serving, spine, training
from tests.benchmarks.rows import write

if __name__ == "__main__":
    measured = [*spine.measure(), *training.measure(), *runs.measure(), *serving.measure()]
    sys.exit(0 if write(measured, Path("bench.json")) else 1)
