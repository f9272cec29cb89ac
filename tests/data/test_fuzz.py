"""Mutated files: no crash, no hang, no row lost in silence, and every error names the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.data.bombs import BOMBS, refusals

ROOT = Path(__file__).resolve().parents[2]
LONG = 5_000


def tried(first: int, last: int) -> list[dict]:
    """What came of a range of cases; a process that dies or hangs is a wrong case, and the next goes on behind it."""
    found: list[dict] = []
    while first < last:
        command = [sys.executable, "-m", "tests.data.fuzzing", "60", str(first), str(last)]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        ended = [line for line in lines if "came" in line]
        found += ended
        if done.returncode == 0:
            return found
        at = lines[-1] if lines else {"case": first, "kind": "?"}
        died = "hung" if done.returncode == -14 else f"died ({done.returncode}): {done.stderr[-500:]}"
        found.append({**at, "came": "died", "seconds": 0.0, "wrong": died})
        first = at["case"] + 1
    return found


def wrong_ones(found: list[dict]) -> list[str]:
    return [f"case {case['case']} ({case['kind']}): {case['wrong']}" for case in found if case["wrong"]]


def test_a_hundred_broken_files():
    found = tried(0, 104)
    assert len(found) == 104
    assert not wrong_ones(found), "\n".join(wrong_ones(found)[:20])
    came = Counter(case["came"] for case in found)
    assert came["refused"] > 30 and came["loaded"] > 10, came


def test_bombs_are_refused_by_name_with_little_memory(tmp_path: Path):
    found = refusals(tmp_path / "bombs")
    assert [refusal.name for refusal in found] == list(BOMBS)
    assert not [refusal for refusal in found if not refusal.holds or refusal.name not in refusal.said]


@pytest.mark.slow
def test_bombs_are_refused_at_once(figure: Callable[..., None], tmp_path: Path):
    found = refusals(tmp_path / "bombs")
    figure("data", "bombs that were not refused by name within 200 MB", [sum(not one.holds for one in found)], "== 0")
    figure("data", f"slowest refusal of {len(found)} bombs, processor s", [max(one.seconds for one in found)], "< 1")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_thousand_broken_files(figure: Callable[..., None]):
    step = 250
    with ThreadPoolExecutor(2) as threads:
        ranges = [(start, min(LONG, start + step)) for start in range(0, LONG, step)]
        found = [case for part in threads.map(lambda span: tried(*span), ranges) for case in part]
    for kind in sorted({case["kind"] for case in found}):
        came = Counter(case["came"] for case in found if case["kind"] == kind)
        print(f"{kind}: {dict(came)}, slowest {max(c['seconds'] for c in found if c['kind'] == kind):.2f} s")
    print("\n".join(wrong_ones(found)[:50]))
    figure("data", "mutated files tried", [len(found)], f">= {LONG}")
    figure(
        "data",
        "mutated files that crashed, hung, lost rows in silence or went unnamed",
        [len(wrong_ones(found))],
        "== 0",
    )
