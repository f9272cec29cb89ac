"""A training run as a person holds it: a view of the record on disk, and the commands that reach its worker.

A `Run` holds no training state. Whoever makes one for the same id, in this process or another one, sees the same
run; losing it loses nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, RunFailed, SpecError
from lepton_lab.session.keeping import Kept
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import metric, score, seconds, state_word
from lepton_lab.session.waiting import queued_words
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.runs import Curve, RunRecord, RunSummary
    from lepton_lab.session.compression import Compression
    from lepton_lab.session.dataset import Dataset
    from lepton_lab.session.endpoint import Endpoint
    from lepton_lab.session.facade import Session
    from lepton_lab.session.report import Report

LOOK_SECONDS = 0.1
"""How often a waiting face looks into the record."""
SUPERVISOR_SECONDS = 2.0
"""How often it sees to it that somebody works on it."""


class Run(Kept, Shown):
    """One run. Made by `Model.train`, `runs()` and `run(id)`."""

    def __init__(self, record: RunRecord, session: Session) -> None:
        self.record, self._session = record, session

    @property
    def id(self) -> str:
        """The run's id: dataset, network and a number, or the name it was given."""
        return self.record.run_id

    @property
    def name(self) -> str:
        """The same as `id`."""
        return self.id

    @property
    def summary(self) -> RunSummary:
        """Where the run stands now, read from the record."""
        return self.record.summary()

    @property
    def state(self) -> str:
        """queued, starting, running, paused, stopping, finished, stopped or failed."""
        return str(self.summary.state)

    @property
    def ended(self) -> bool:
        """Whether it is finished, stopped or failed."""
        from lepton_lab.runs.states import ENDED

        return self.summary.state in ENDED

    @property
    def dataset(self) -> Dataset:
        """The dataset that it was trained on."""
        return self._session.dataset_of(self)

    @property
    def curve(self) -> Curve:
        """All points and marks so far; `curve.series["val_accuracy"].x` are epochs, `.y` values."""
        return self.record.curve()

    def pause(self) -> Run:
        """Asks the run to hold still; it keeps its place and its device."""
        return self._command("pause")

    def resume(self) -> Run:
        """Goes on: a paused run at once, a stopped or failed one from its last checkpoint."""
        if not self.ended:
            return self._command("resume")
        if self.state == "finished":
            raise RunError(f"{self.id} is finished; train again for more epochs.")
        from lepton_lab.runs.record import resume_run

        resume_run(self._session.store, self.id)
        return self

    def stop(self, hard: bool = False) -> Run:
        """Asks the run to end after the current step with a last checkpoint; `hard` ends its process at once."""
        return self._command("stop", {"hard": hard})

    def checkpoint(self) -> Run:
        """Asks for a checkpoint now."""
        return self._command("checkpoint")

    def set_learning_rate(self, value: float) -> Run:
        """Changes the step length of the rest of the run; the curve gets a mark.

        Raises:
            SpecError: If the value is not a number above 0 and at most 100.
        """
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 100:
            raise SpecError(f"learning_rate is {value!r}; expected a number above 0 and at most 100.")
        return self._command("set_learning_rate", float(value))

    def wait(self, timeout: float | None = None, watch: Callable[[RunSummary], None] | None = None) -> Run:
        """Waits until the run has ended; interrupting the wait leaves the run alone.

        Args:
            timeout: Seconds to wait at most.
            watch: Called with the summary whenever it changed.

        Raises:
            RunFailed: If the run failed.
            RunError: If it has not ended in time.
        """
        summary = self._until(lambda now: self._is_over(now), timeout, watch)
        if str(summary.state) == "failed":
            raise RunFailed(f"{self.id} failed: {summary.message or summary.reason}", summary.reason or "error")
        return self

    def until_over(self, watch: Callable[[RunSummary], None] | None = None) -> RunSummary:
        """Waits until the run has finished, was stopped or failed; unlike `wait` it does not mind a failure."""
        return self._until(self._is_over, None, watch)

    def evaluate(self) -> Report:
        """The report on the test rows; waits for it while the run goes on.

        Raises:
            RunFailed: If the run failed.
            RunError: If the run ended without a report.
        """
        from lepton_lab.session.report import report_of

        return report_of(self, self._session)

    def compress(self, wait: bool | None = None, **options: Any) -> Compression:
        """Makes small variants of the trained network, in a process of their own, and compares them on the test rows.

        Args:
            wait: Whether to wait for the table; by default a notebook goes on and a script waits.
            **options: The fields of `CompressSpec`: recipes, target, max_loss, epochs, ...

        Raises:
            SpecError: If an option cannot have its value.
            RunError: If the run has not finished, or is being compressed already.
        """
        return self._session.compress(self, options, wait)

    def export(self) -> dict[str, dict[str, Any]]:
        """Writes the network for other tools into the run's folder: a torch.export program and safetensors.

        Returns:
            Path, bytes and largest difference from the trained network, on real samples, of each file; those of the
            ONNX model in the bundle stand in its own record.

        Raises:
            RunError: If the run has not finished, or its network cannot be exported.
        """
        import json
        import subprocess

        from lepton_lab.runs.programs import Programs

        if self.state != "finished":
            raise RunError(f"{self.id} is {self.state}; let it finish, then export it.")
        command = Programs.from_environment().formats(self._session.store, self.id)
        done = subprocess.run(command, capture_output=True, text=True)
        folder = self.record.dir / "formats"
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["its worker ended without a word"]
            raise RunError(f"{self.id} could not be exported: {said[-1]}")
        report: dict[str, dict[str, Any]] = json.loads((folder / "formats.json").read_text("utf-8"))
        return {name: {"path": str(folder / name), **about} for name, about in report.items()}

    @property
    def compression(self) -> Compression:
        """The variants that `compress` has made so far."""
        from lepton_lab.session.compression import Compression

        return Compression(self)

    def deploy(self, **options: Any) -> Endpoint:
        """Puts the trained network online, or with `variant=` a small one; the options are those of `DeploySpec`.

        Raises:
            EndpointError: If the endpoint cannot start.
        """
        return self._session.deploy(self, options)

    def to_dict(self) -> dict[str, Any]:
        return self.summary.to_dict()

    def __str__(self) -> str:
        return sentence(self.summary)

    def _command(self, command: str, value: Any = None) -> Run:
        from lepton_lab.runs.control import send_command

        if self.ended:
            raise RunError(f"{self.id} is {self.state} already; there is nothing to {command.replace('_', ' ')}.")
        send_command(self.record.dir, command, value, by=self._session.who)
        return self

    @staticmethod
    def _is_over(summary: RunSummary) -> bool:
        from lepton_lab.runs.states import ENDED

        return summary.state in ENDED

    def _until(
        self,
        done: Callable[[RunSummary], bool],
        timeout: float | None = None,
        watch: Callable[[RunSummary], None] | None = None,
    ) -> RunSummary:
        """Reads the summary whenever the record grew, until `done` says yes."""
        from lepton_lab.runs import ensure_supervisor

        deadline = None if timeout is None else time.monotonic() + timeout
        pulse, size, last_seq, looked = threading.Event(), -1, -1, time.monotonic()
        while True:
            grown = self._size()
            if grown != size:
                size, summary = grown, self.summary
                if watch and summary.last_seq != last_seq:
                    watch(summary)
                last_seq = summary.last_seq
                if done(summary):
                    return summary
            if deadline is not None and time.monotonic() > deadline:
                raise RunError(f"{self.id} is still {summary.state} after {seconds(timeout)}.")
            if time.monotonic() - looked > SUPERVISOR_SECONDS:
                looked = time.monotonic()
                ensure_supervisor(self._session.store)
            pulse.wait(LOOK_SECONDS)

    def _size(self) -> int:
        try:
            return os.stat(self.record.dir / "events.jsonl").st_size
        except OSError:
            return 0


def sentence(summary: RunSummary) -> str:
    """A run in one line: its name, its state and the figures that matter in it."""
    state = str(summary.state)
    best = summary.test_metric if summary.test_metric is not None else summary.val_metric
    name = metric(summary.metric)
    part = _(f"test {name}") if summary.test_metric is not None else _(f"validation {name}")
    figures = f", {part} {score(best)}" if best is not None else ""
    if state == "failed":
        return _(f"{summary.run_id}: failed: {summary.message or summary.reason}")
    if state == "queued":
        return f"{summary.run_id}: {queued_words(summary)}"
    if state in ("running", "paused", "stopping"):
        left = _(f", {seconds(summary.seconds_left)} left") if summary.seconds_left and state == "running" else ""
        where = _(f"epoch {summary.epoch:.1f} of {summary.epochs}")
        return f"{summary.run_id}: {state_word(state)}, {where}{figures}{left}"
    return f"{summary.run_id}: {state_word(state)}{figures}"
