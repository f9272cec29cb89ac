"""The worker's side of a run's copies on shared storage: starts the process that makes them and notes what it says."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lepton_lab.errors import RunError
from lepton_lab.runs.copies import Note, write_note
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command
from lepton_lab.runs.shared import SharedStorage

LAST_SECONDS = 60.0
"""How long a worker that has done its work waits for the last copy."""


@contextmanager
def copied(store: Store, events: EventWriter) -> Iterator[None]:
    """Copies a run to shared storage, where there is some, as long as the block lasts, and once more at its end.

    Args:
        store: The run's store.
        events: The run's writer, which hears of each copy.
    """
    try:
        is_wanted = SharedStorage.set_by_user() is not None
    except RunError as error:
        events.append("WarningRaised", message=str(error))
        is_wanted = False
    if not is_wanted:
        yield
        return
    command = python_command("lepton_lab.runs.copier", "--store", str(store.root), "--run", events.run_dir.name)
    copier = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert copier.stdin is not None and copier.stdout is not None
    thread = threading.Thread(target=_listen, args=(copier.stdout, events), name="copies", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            copier.stdin.close()
        thread.join(LAST_SECONDS)
        copier.kill()
        copier.wait()
        thread.join()


def _listen(said: IO[bytes], events: EventWriter) -> None:
    told = ""
    with said:
        for line in said:
            try:
                values = json.loads(line)
            except ValueError:
                continue
            problem = values.get("problem", "")
            if problem and problem != told:
                events.append("WarningRaised", message=f"The run is not copied to shared storage. {problem}")
            elif not problem:
                _note(events, values)
            told = problem


def _note(events: EventWriter, values: dict[str, Any]) -> None:
    run_dir: Path = events.run_dir
    events.append("CheckpointCopied", step=values["step"], bytes=values["bytes"], seconds=values["seconds"])
    write_note(run_dir, Note(values["url"], values["place"], tuple(values["steps"])))
