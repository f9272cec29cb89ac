"""How the worker of one run takes in 10, 100 and 1,000 hosts: `python -m tests.benchmarks.hosts [NUMBER ...]`.

The worker's door for what ranks print and use is the product's; the ranks are connections of another process, which
speak as ranks do. It begins with 1,024 open files allowed, as most systems have it.
"""

from __future__ import annotations

import io
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Client
from pathlib import Path

from lepton_lab.runs.monitor import EVERY_SECONDS
from lepton_lab.scaling.notes import Notes
from tests.waiting import wait_until

NUMBERS = (10, 100, 1_000)
ROUNDS = 5
KEY = b"k" * 32
ALLOWED_FILES = 1_024


def ranks(port: int, number: int) -> None:
    """So many ranks: each connects, and at each line of the standard input tells what it uses and prints."""
    connections = [Client(("127.0.0.1", port), authkey=KEY) for _ in range(number)]
    print("here", flush=True)
    for turn, _ in enumerate(sys.stdin):
        for rank, connection in enumerate(connections):
            used = {"cpu_cores": 1.0, "memory_bytes": 1e9, "turn": float(turn)}
            connection.send(("use", rank, used))
            connection.send(("lines", rank, [f"line of turn {turn}"]))


def measure(number: int) -> tuple[float, float]:
    """Processor seconds of the worker until all ranks have come, and for one round of what they say."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (ALLOWED_FILES, most))
    log = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="lepton-hosts-", ignore_cleanup_errors=True) as folder:
        began = time.process_time()
        notes = Notes(Path(folder), KEY, "127.0.0.1", log)
        command = [sys.executable, "-m", "tests.benchmarks.hosts", "ranks", str(notes.address[1]), str(number)]
        spoken = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert spoken.stdin is not None and spoken.stdout is not None
        assert spoken.stdout.readline() == "here\n"
        come = time.process_time() - began
        began = time.process_time()
        for turn in range(ROUNDS):
            spoken.stdin.write("go\n")
            spoken.stdin.flush()
            wait_until(lambda: log.getvalue().count(f"turn {turn}\n") == number, f"{number} ranks", 120)  # noqa: B023
        taken = (time.process_time() - began) / ROUNDS
        spoken.stdin.close()
        spoken.wait()
        notes.close()
    return come, taken


def main(numbers: list[int]) -> None:
    """Prints the table of `docs/capacity.md`."""
    print("| hosts of one run | until all have come | a round of what they print and use | share of a core |")
    print("|---|---|---|---|")
    for number in numbers:
        come, taken = measure(number)
        print(f"| {number:,} | {come:.2g} s | {taken:.2g} s | {taken / EVERY_SECONDS:.2g} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ranks"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        ranks(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main([int(each) for each in sys.argv[1:]] or list(NUMBERS))
