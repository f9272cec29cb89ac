"""The worker's side of a run on a Ray cluster: Ray Train starts the ranks, this process keeps the record.

The run's worker stays on its host with the queue, the record and the commands, so that every face works unchanged;
Ray Train places the ranks, begins their process group, and starts all of them anew where one has died.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection
from multiprocessing.connection import Listener as Door
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.runs.atomic import write_bytes
from lepton_lab.runs.checkpoints import latest_checkpoint, new_checkpoint
from lepton_lab.runs.early_stop import EarlyStop
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.ray_cluster import connect
from lepton_lab.scaling.far import FarJob, work
from lepton_lab.scaling.line import Listener
from lepton_lab.scaling.shelf import put_on_shelf
from lepton_lab.scaling.team import PATIENCE
from lepton_lab.scaling.together import check_task, note_restart, result_of
from lepton_lab.specs import ModelSpec, TrainSpec
from lepton_lab.training.commands import RunControl
from lepton_lab.training.outcome import Outcome
from lepton_lab.training.resuming import PLAN_FILE

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

KEY_BYTES = 32


def train_on_cluster(
    run_dir: Path,
    dataset: PreparedDataset,
    model_spec: ModelSpec,
    train_spec: TrainSpec,
    *,
    events: EventWriter,
    early: EarlyStop,
    store: Path,
) -> Outcome:
    """Trains on `train_spec.workers` processes of a Ray cluster, from the run's latest checkpoint when there is one.

    Args:
        run_dir: The run's folder.
        dataset: Rows and their preparation.
        model_spec: Which network.
        train_spec: How to train it, and on which cluster.
        events: The run's writer; stays here.
        early: Who takes a stop while the cluster has no room yet.
        store: The root of the store that the dataset is in.

    Raises:
        MissingExtra: Ray is not installed.
        RunError: No cluster answers.
        RunFailed: The task cannot be shared; as in one process; or ranks died too often (reason "worker_died").
    """
    check_task(dataset, train_spec.workers)
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    ray = connect(train_spec.cluster or "auto", "Training on a cluster")
    key = secrets.token_bytes(KEY_BYTES)
    listener = FarListener(events, run_dir, key, ray.util.get_node_ip_address(), train_spec.keep_checkpoints, early.end)
    job = FarJob(
        address=listener.address,
        key=key,
        model_spec=model_spec,
        train_spec=train_spec,
        parcel=put_on_shelf(ray, dataset, store),
        device="cuda" if train_spec.gpus_per_worker else "cpu",
        num_threads=max(1, int(train_spec.cpus_per_worker)),
    )
    restarts_left = max(0, train_spec.max_restarts - events.fold.attempt_restarts)
    what_happened = ""
    try:
        _trainer(job, run_dir, restarts_left).fit()
    except Exception as error:  # Ray's own, of no common base; what a rank said itself is with the listener
        what_happened = f"A process on the cluster could not go on ({str(error).strip().splitlines()[-1][:200]})."
    finally:
        listener.close()
        ray.shutdown()
    return result_of(run_dir, dataset, model_spec, events, listener, what_happened)


def _trainer(job: FarJob, run_dir: Path, max_failures: int) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    spec = job.train_spec
    backend = "nccl" if job.device == "cuda" else "gloo"
    resources = {"CPU": spec.cpus_per_worker, **({"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {})}
    return TorchTrainer(
        work,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend=backend, timeout_s=int(PATIENCE.total_seconds())),
        scaling_config=ScalingConfig(
            num_workers=spec.workers if spec.min_workers is None else (spec.min_workers, spec.workers),
            use_gpu=job.device == "cuda",
            resources_per_worker=resources,
        ),
        run_config=RunConfig(
            name=run_dir.name,
            storage_path=str(run_dir / "ray"),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )


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
        self._current: Connection | None = None
        self._door = Door((host, 0), authkey=key)
        self.address: tuple[str, int] = self._door.address
        threading.Thread(target=self._receive, name="cluster-door", daemon=True).start()

    def close(self) -> None:
        """Hears no further rank; what the last one said is written."""
        self._door.close()
        self._hang_up()
        self.hear_out()

    def _receive(self) -> None:
        while True:
            try:
                connection = self._door.accept()
            except (AuthenticationError, EOFError, ConnectionError):
                continue
            except OSError:  # the door is closed
                return
            self._hang_up()
            self._current = connection
            self.listen(connection)

    def _hang_up(self) -> None:
        """Ends the wire to the rank 0 before, which may have gone without a word."""
        if self._current is not None and not self._current.closed:
            try:
                with socket.socket(fileno=os.dup(self._current.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has hung up itself
        self._current = None

    def _take(self, kind: str, said: dict[str, Any]) -> Any:
        if kind == "begin":
            return self._begin(said["size"])
        if kind == "plan":
            if not (self._run_dir / PLAN_FILE).exists():
                write_bytes(self._run_dir / PLAN_FILE, said["content"])
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
        if "failed" in self.said or "ended" in self.said:
            return None
        self._on_begin()
        if self._has_begun:
            note_restart(self._writer, f"A process on the cluster has gone; {size} begin again.")
        self._has_begun = True
        plan, saved = self._run_dir / PLAN_FILE, latest_checkpoint(self._run_dir)
        files = None if saved is None else (saved[0], {path.name: path.read_bytes() for path in saved[1].iterdir()})
        return {"plan": plan.read_bytes() if plan.exists() else None, "checkpoint": files}

    def _save(self, step: int, is_best: bool, files: dict[str, bytes]) -> None:
        with new_checkpoint(self._run_dir, step, is_best=is_best, keep=self._keep) as folder:
            for name, content in files.items():
                if name != "manifest.json":
                    (folder / Path(name).name).write_bytes(content)
