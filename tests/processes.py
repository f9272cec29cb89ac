"""The processes of a run store: supervisor, workers and endpoint servers outlive whoever started them."""

from __future__ import annotations

from pathlib import Path

import psutil


def processes_of(root: Path) -> list[psutil.Process]:
    """The living processes of one store, its supervisor first: ended last, it would bring the others back."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(root) in words and any(word.startswith("lepton_lab") for word in words):
            found.append(process)
    return sorted(found, key=lambda process: "lepton_lab.runs.supervisor" not in process.info["cmdline"])


def end_processes_of(root: Path) -> None:
    """Ends the supervisor, the workers and the endpoint servers of one store; workers bring a supervisor back once."""
    for _ in range(3):
        found = processes_of(root)
        for process in found:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(found, timeout=10)
        if not found:
            return
