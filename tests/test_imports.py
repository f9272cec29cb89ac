"""Fresh processes prove what a first import costs: torch stays unloaded wherever people and servers begin."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOAD_EXTENSION = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "lepton_lab")
assert "lepton" in shell.magics_manager.magics["line"]
"""

TORCH = {"torch"}
FRAMES = {"numpy", "pandas", "polars", "pyarrow", "sklearn", "scipy"}
FACES = {"ipywidgets", "anywidget", "plotly", "IPython"}
SERVING = {"onnx", "onnxruntime", "starlette", "uvicorn"}
ALL = TORCH | FRAMES | FACES | SERVING


def loaded_after(code: str, packages: set[str]) -> set[str]:
    """Those of the packages that a fresh interpreter has loaded after the code."""
    ask = f"\nimport json, sys\nprint(json.dumps([name for name in {sorted(packages)!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code + ask], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "unloaded"),
    [
        ("import lepton_lab", ALL),
        ("import lepton_lab.runs, lepton_lab.runs.supervisor, lepton_lab.runs.endpoints", ALL),
        ("import lepton_lab.jupyter, lepton_lab.jupyter.routes", ALL),
        ("import lepton_lab.specs, lepton_lab.verbs", ALL),
        ("import lepton_lab.cli", ALL),
        ("import lepton_lab\nfor name in lepton_lab.__all__: getattr(lepton_lab, name)", TORCH | SERVING),
        (LOAD_EXTENSION, ALL - {"IPython"}),
        ("import lepton_lab.serving.server", TORCH | FACES),
        ("import lepton_lab.worker", TORCH),
    ],
    ids=["package", "runs", "jupyter", "verbs", "cli", "every name", "load_ext", "serving", "worker"],
)
def test_it_leaves_unloaded(code, unloaded):
    assert loaded_after(code, unloaded) == set()


def test_the_check_sees_what_is_loaded():
    assert loaded_after("import numpy.linalg, sqlite3", {"numpy", "torch"}) == {"numpy"}
