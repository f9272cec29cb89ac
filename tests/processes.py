"""The processes of a run store: supervisor, workers and endpoint servers outlive whoever started them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil


def processes_of(root: Path) -> list[psutil.Process]:
    """The living processes of one store, its supervisor first: ended last, it would bring the others back."""
    found = [process for process in psutil.process_iter(["cmdline"]) if _belongs_to(process, root)]
    return sorted(found, key=lambda process: "lepton_lab.runs.supervisor" not in process.info["cmdline"])


def end_processes_of(root: Path) -> None:
    """Ends the supervisor, the workers and the endpoint servers of one store."""
    for thread in threading.enumerate():
        if thread.name == "lepton-warm-up":
            thread.join(timeout=10)
    # Looked for twice: a process that has just been started has no command line for a moment.
    for pause_seconds in (0.05, 0.0):
        found = processes_of(root)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=10)
        threading.Event().wait(pause_seconds)


def end_processes_below(folders: Sequence[Path]) -> None:
    """Ends what still works on a store below one of these folders; a test that ended its own has left nothing."""
    roots = {
        Path(word)
        for process in psutil.process_iter(["cmdline"])
        for word in process.info["cmdline"] or []
        if word.startswith("/") and any(Path(word).is_relative_to(folder) for folder in folders)
    }
    for root in roots:
        end_processes_of(root)


def _belongs_to(process: psutil.Process, root: Path) -> bool:
    words = process.info["cmdline"] or []
    return str(root) in words and any(word.startswith("lepton_lab") for word in words)
