"""`python -m tests.benchmarks`: measures everything and writes `bench.json`; exit code 1 where a goal is missed."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import data, runs, serving, spine, training
from tests.benchmarks.rows import write

ISSUES = (spine, training, runs, serving, data)

if __name__ == "__main__":
    measured = [row for issue in ISSUES for row in issue.measure()]
    sys.exit(0 if write(measured, Path("bench.json")) else 1)
