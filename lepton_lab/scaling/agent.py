"""torch's elastic agent for the ranks of one host, inside the run's worker."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from torch.distributed import HashStore, PrefixStore
from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec, WorkerState
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousInfo, RendezvousStoreInfo

from lepton_lab.scaling.line import Listener
from lepton_lab.scaling.ranks import Job, work

LOOK_SECONDS = 0.02
"""How often the agent looks whether all ranks live."""

END_SECONDS = 5
"""A rank that does not end when it is told to is killed after so long."""


class OneHost(RendezvousHandler):
    """A meeting of one agent with itself: nothing listens on a network, and nothing is waited for."""

    def __init__(self) -> None:
        self._store, self._round = HashStore(), 0

    def get_backend(self) -> str:
        """As `RendezvousHandler.get_backend`."""
        return "one-host"

    def next_rendezvous(self) -> RendezvousInfo:
        """As `RendezvousHandler.next_rendezvous`."""
        self._round += 1
        store = PrefixStore(str(self._round), self._store)
        return RendezvousInfo(store, 0, 1, RendezvousStoreInfo("127.0.0.1", 0))

    def is_closed(self) -> bool:
        """As `RendezvousHandler.is_closed`."""
        return False

    def set_closed(self) -> None:
        """As `RendezvousHandler.set_closed`."""

    def num_nodes_waiting(self) -> int:
        """As `RendezvousHandler.num_nodes_waiting`."""
        return 0

    def get_run_id(self) -> str:
        """As `RendezvousHandler.get_run_id`."""
        return "run"

    def shutdown(self) -> bool:
        """As `RendezvousHandler.shutdown`."""
        return True


class Agent(LocalElasticAgent):
    """Starts the ranks, and all of them anew from the last checkpoint when one has died.

    Args:
        job: What they are to do.
        num_ranks: How many there are.
        start_method: "fork" where the worker has not touched a GPU; else "spawn".
        max_restarts: How often they may be started anew.
        listener: Who hears rank 0.
        on_restart: Called with what has happened, when no rank is left and before they are started anew.
    """

    def __init__(
        self,
        job: Job,
        *,
        num_ranks: int,
        start_method: str,
        max_restarts: int,
        listener: Listener,
        on_restart: Callable[[str], None],
    ) -> None:
        spec = WorkerSpec(
            role="ranks",
            local_world_size=num_ranks,
            rdzv_handler=OneHost(),
            entrypoint=work,
            max_restarts=max_restarts,
            monitor_interval=LOOK_SECONDS,
        )
        logs = DefaultLogsSpecs(log_dir=str(job.folder))
        super().__init__(spec, logs, start_method, shutdown_timeout=END_SECONDS)
        self._job, self._listener, self._on_restart = job, listener, on_restart
        self.what_happened = ""

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        ours, theirs = multiprocessing.get_context(self._start_method).Pipe()
        worker_group.spec.args = (self._job, theirs)
        with theirs:
            pids: dict[int, Any] = super()._start_workers(worker_group)
        self._listener.listen(ours)
        return pids

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        if "failed" in self._listener.said:
            self._stop_workers(worker_group)
            over = {worker.global_rank: None for worker in worker_group.workers}
            return RunResult(state=WorkerState.SUCCEEDED, return_values=over)
        result: RunResult = super()._monitor_workers(worker_group)
        if result.is_failed():
            rank, failure = next(iter(result.failures.items()))
            number, size, name = rank + 1, worker_group.spec.local_world_size, failure.signal_name()
            self.what_happened = f"Process {number} of {size} ended by itself."
            if failure.exitcode < 0:
                self.what_happened = f"Process {number} of {size} was killed by {name}."
        return result

    def _restart_workers(self, worker_group: WorkerGroup) -> None:
        self._stop_workers(worker_group)
        self._listener.hear_out()
        self._on_restart(self.what_happened)
        super()._restart_workers(worker_group)
