"""The REST handlers about runs that are there: labels, branches, queue, comparison, disk space, the monitor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from lepton_lab.errors import SpecError
from lepton_lab.jupyter import kept
from lepton_lab.jupyter.base import LeptonHandler, closed
from lepton_lab.runs.paths import Store

Deed = Callable[[Store, str, dict[str, Any]], dict[str, Any]]


class DetailsHandler(LeptonHandler):
    """GET runs/<id>/details: options, labels, lineage, checkpoints, size."""

    @closed
    async def get(self, run_id: str) -> None:
        """Answers with all about a run but its curve."""
        self.reply(await self.hub.in_thread(kept.details, self.hub.store, run_id))


class DeedHandler(LeptonHandler):
    """POST runs/<id>/<deed>: what a person does to a run as a whole."""

    deed: Deed

    @closed
    async def post(self, run_id: str) -> None:
        """Does it, and answers with what came of it."""
        body = self.body_json()
        self.reply(await self.hub.in_thread(type(self).deed, self.hub.store, run_id, body))
        self.hub.look_now()


class LabelsHandler(DeedHandler):
    """POST runs/<id>/labels: title, tags, note, pin."""

    deed = staticmethod(kept.set_labels)


class RetryHandler(DeedHandler):
    """POST runs/<id>/retry: queue a failed or stopped run again."""

    deed = staticmethod(kept.retry)


class ContinueHandler(DeedHandler):
    """POST runs/<id>/continue: train longer, in a new run."""

    deed = staticmethod(kept.train_longer)


class ForkHandler(DeedHandler):
    """POST runs/<id>/fork: a new run from a checkpoint, with changed options."""

    deed = staticmethod(kept.fork)


class VerifyHandler(DeedHandler):
    """POST runs/<id>/verify: prove a finished run by a replay."""

    deed = staticmethod(kept.verify)


class QueueHandler(DeedHandler):
    """POST runs/<id>/queue: another priority or place."""

    deed = staticmethod(kept.queue)


class DeleteHandler(DeedHandler):
    """POST runs/<id>/delete: remove a run with all its files."""

    deed = staticmethod(kept.delete)


class CompareHandler(LeptonHandler):
    """GET compare?runs=a,b: runs side by side."""

    @closed
    async def get(self) -> None:
        """Answers with rows, columns and curves."""
        names = [name for name in self.get_query_argument("runs", "").split(",") if name]
        self.reply(await self.hub.in_thread(kept.compare, self.hub.store, names))


class SpaceHandler(LeptonHandler):
    """GET space: what could be freed; POST space {"bytes"}: free it."""

    @closed
    async def get(self) -> None:
        """Answers with the plan; removes nothing."""
        self.reply(await self.hub.in_thread(kept.plan_space, self.hub.store))

    @closed
    async def post(self) -> None:
        """Frees what a person has seen named."""
        body = self.body_json()
        self.reply(await self.hub.in_thread(kept.free_space, self.hub.store, body))
        self.hub.look_now()


class _SinceHandler(LeptonHandler):
    """Reads the time up to which the client has samples."""

    def since(self) -> float:
        """The query's `since`, in unix seconds.

        Raises:
            SpecError: If it is no number.
        """
        text = self.get_query_argument("since", "0")
        try:
            since = float(text)
        except ValueError:
            since = math.nan
        if not math.isfinite(since):
            raise SpecError(f"since is {text!r}; expected a time in unix seconds.")
        return since


class MonitorHandler(_SinceHandler):
    """GET monitor?since=: what the machine uses."""

    @closed
    async def get(self) -> None:
        """Answers with the samples after a time."""
        self.reply(await self.hub.in_thread(kept.machine_samples, self.hub.store, self.since()))


class RunMonitorHandler(_SinceHandler):
    """GET runs/<id>/monitor?since=: what one run uses, and what slows it down."""

    @closed
    async def get(self, run_id: str) -> None:
        """Answers with the samples after a time, and hints in words."""
        self.reply(await self.hub.in_thread(kept.run_samples, self.hub.store, run_id, self.since()))
