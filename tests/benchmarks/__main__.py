"""`python -m tests.benchmarks [ISSUE ...]`: measures everything, or some issues, and writes `bench.json`.

`compress` is the part of `serve` that trains and compresses networks on real sets, about half an hour of it.

What is measured takes the place of the same rows of the file; the others stay. The file is written after each issue,
so that a run that is cut off loses only the issue that it was at. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import compression, data, runs, scale, serving, spine, training, workbench
from tests.benchmarks.rows import put

ISSUES = {
    "spine": spine,
    "kernel": training,
    "runs": runs,
    "serve": serving,
    "compress": compression,
    "data": data,
    "workbench": workbench,
    "scale": scale,
}
FILE = Path("bench.json")


def main(names: list[str]) -> int:
    """Measures the issues of these names; all where there are none."""
    unknown = [name for name in names if name not in ISSUES]
    if unknown:
        print(f"There is no issue {unknown[0]!r} to measure; there are {', '.join(ISSUES)}.", file=sys.stderr)
        return 2
    holds = True
    for name in names or ISSUES:
        holds &= put(ISSUES[name].measure(), FILE)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
