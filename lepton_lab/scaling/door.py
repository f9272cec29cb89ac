"""The worker's door for rank 0 of a run on a cluster: in comes what belongs into the record, out go commands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lepton_lab.runs.atomic import write_bytes
from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint
from lepton_lab.runs.events import EventWriter
from lepton_lab.scaling.callers import Door, hang_up
from lepton_lab.scaling.line import Listener
from lepton_lab.scaling.pieces import Incoming, pieces_of
from lepton_lab.scaling.together import note_restart
from lepton_lab.training.commands import RunControl
from lepton_lab.training.resuming import PLAN_FILE

INCOMING = ".incoming"
"""Where a checkpoint is kept while it comes."""


class FarListener(Listener):
    """A door for rank 0, wherever it is; who comes with the key is heard, and the one before is not any more.

    Args:
        events: The run's writer.
        run_dir: The run's folder.
        key: What rank 0 shows.
        host: This host's address in the cluster.
        keep_checkpoints: As `TrainSpec.keep_checkpoints`.
        on_begin: Called when a rank 0 begins.
    """

    def __init__(
        self,
        events: EventWriter,
        run_dir: Path,
        key: bytes,
        host: str,
        keep_checkpoints: int,
        on_begin: Callable[[], None],
    ) -> None:
        super().__init__(events)
        self._writer, self._run_dir, self._keep, self._on_begin = events, run_dir, keep_checkpoints, on_begin
        self._control, self._has_begun = RunControl(run_dir), False
        self._incoming = Incoming(run_dir / INCOMING)
        self._outgoing: Iterator[dict[str, Any]] = iter(())
        self._current: Connection | None = None
        self._turn = threading.Lock()
        self._door = Door(host, key, self._receive, "cluster-door")
        self.address = self._door.address

    @property
    def is_over(self) -> bool:
        """Whether a rank 0 has said how the training ended."""
        return "failed" in self.said or "ended" in self.said

    @property
    def has_rank(self) -> bool:
        """Whether a rank 0 is at work."""
        return self._has_begun and self._current is not None and not self._current.closed

    def close(self) -> None:
        """Hears no further rank; what the last one said is written."""
        self._door.close()
        with self._turn:  # who is just let in comes before, or finds the door closed
            self.send_away()
        self._incoming.clear()

    def send_away(self) -> None:
        """Ends the wire to the rank 0 that is there, if any; what it said is written, and another one may come."""
        self._hang_up()
        self.hear_out()

    def note_loss(self, how: str) -> bool:
        """Writes down that the ranks are gone with their cluster; False where there were none."""
        if not self._has_begun:
            return False
        note_restart(self._writer, how)
        self._has_begun = False
        return True

    def _receive(self, connection: Connection) -> None:
        with self._turn:
            if self._door.is_open:
                self._hang_up()
                self._current = connection
                self.listen(connection)
            else:
                connection.close()

    def _hang_up(self) -> None:
        """Ends the wire to the rank 0 before, which may have gone without a word."""
        if self._current is not None and not self._current.closed:
            hang_up(self._current)
        self._current = None

    def _take(self, kind: str, said: dict[str, Any]) -> Any:
        if kind == "begin":
            return self._begin(said["size"])
        if kind == "plan":
            if not (self._run_dir / PLAN_FILE).exists():
                write_bytes(self._run_dir / PLAN_FILE, said["content"])
        elif kind == "piece":
            self._incoming.add(said)
        elif kind == "next piece":
            return next(self._outgoing, None)
        elif kind == "checkpoint":
            self._save(**said)
        elif kind == "commands":
            return [(each.id, each.command, each.value, each.by) for each in self._control.pending()]
        elif kind == "done":
            self._control.done(said["id"])
        else:
            return super()._take(kind, said)
        return None

    def _begin(self, size: int) -> dict[str, Any] | None:
        """What a start needs; None where it is over already."""
        if self.is_over:
            return None
        self._on_begin()
        if self._has_begun:
            note_restart(self._writer, f"A process on the cluster has gone; {size} begin again.")
        self._has_begun = True
        self._incoming.clear()
        plan, saved = self._run_dir / PLAN_FILE, latest_checkpoint(self._run_dir)
        self._outgoing = pieces_of(saved[1]) if saved is not None else iter(())
        return {"plan": plan.read_bytes() if plan.exists() else None, "step": saved[0] if saved is not None else None}

    def _save(self, step: int, is_best: bool) -> None:
        with new_checkpoint(self._run_dir, step, is_best=is_best, keep=self._keep) as folder:
            self._incoming.move_to(folder)
