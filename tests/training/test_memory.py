"""What limits leave: a process with little memory keeps to it, whatever the machine has."""

from __future__ import annotations

import subprocess
import sys

import psutil

from lepton_lab.training.memory import free_bytes

LIMITED = """
import resource
from lepton_lab.training.memory import free_bytes
resource.setrlimit(resource.RLIMIT_DATA, (2**29, 2**29))
print(free_bytes())
"""


def test_no_more_than_the_machine_has():
    assert 0 < free_bytes() <= psutil.virtual_memory().total


def test_a_limit_of_the_process_counts():
    printed = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True, text=True).stdout
    assert 0 < int(printed) < 2**29
