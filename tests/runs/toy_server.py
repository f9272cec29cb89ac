"""An endpoint's server without an endpoint: it records itself and waits to be ended."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import write_identity

parser = argparse.ArgumentParser()
parser.add_argument("--store", type=Path)
parser.add_argument("--name")
options = parser.parse_args()
folder = Store(options.store).endpoint_dir(options.name)
with open(folder / "starts.txt", "a") as file:
    file.write("start\n")
write_identity(folder / "process.json", port=0, ready=True)
signal.sigwait([signal.SIGTERM])
