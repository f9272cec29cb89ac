"""`python -m tests.benchmarks`: measures everything and writes `bench.json`; exit code 1 where a goal is missed."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import runs, spine, training
from tests.benchmarks.rows import write

if __name__ == "__main__":
    sys.exit(0 if write([*spine.measure(), *training.measure(), *runs.measure()], Path("bench.json")) else 1)
