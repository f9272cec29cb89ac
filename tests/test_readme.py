"""The README's code runs as it stands there, and its commands exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_lab.cli import PROGRAM
from lepton_lab.verbs import parse

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def blocks(path: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [block for tongue, block in fenced if tongue == language]


def test_the_python_of_the_readme_runs(tmp_path, ended_after):
    home = ended_after(tmp_path / "home")
    (code,) = blocks(READMES[0], "python")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "LEPTON_HOME": str(home)},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy (0\.\d+|1\.0+)", done.stdout)
    assert accuracy and float(accuracy[1]) > 0.95
    assert "truth" in done.stdout


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_line_of_a_readme_can_be_read(path):
    text = path.read_text(encoding="utf-8")
    magics = re.findall(r"^%lepton (.+)$", text, flags=re.M)
    commands = re.findall(rf"^{PROGRAM} ([^#\n]+)", text, flags=re.M)
    assert len(magics) >= 6 and len(commands) >= 2
    for line in [*magics, *commands]:
        if line.split()[0] != "demo":
            parse(line.strip())


def test_both_readmes_carry_the_same_code():
    for language in ("", "python"):
        ours, theirs = ([without_prose(block) for block in blocks(path, language)] for path in READMES)
        assert ours == theirs


def without_prose(block: str) -> str:
    """A block without its comments and its texts for people, which each language says in its own words."""
    lines = (re.sub(r'f"[^"]*"', 'f""', line.split("#")[0]).rstrip() for line in block.splitlines())
    return "\n".join(lines)
