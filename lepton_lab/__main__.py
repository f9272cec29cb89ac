"""`python -m lepton_lab` is `lepton-lab`."""

from __future__ import annotations

import sys

from lepton_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
