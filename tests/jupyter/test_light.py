"""The extension runs inside the Jupyter server for weeks: it must stay small, and start quickly."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "numpy", "pandas", "polars", "pyarrow", "sklearn", "onnxruntime", "ipywidgets", "plotly")


def test_the_extension_loads_nothing_heavy():
    code = (
        "import sys, lepton_lab.jupyter, lepton_lab.jupyter.routes; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"
