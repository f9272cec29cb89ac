"""The process that has Ray place the ranks of one run: `python -m lepton_lab.scaling.placing FD`.

Ray ends a process whose cluster is gone, so this is not the run's worker, which stays and keeps the record. The worker
holds the other end of the socket FD: it is told this host's address in the cluster, gives the work, hears when the
cluster has no room, and how it went. When the worker goes, this process goes, and with it all that it has placed.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lepton_lab.errors import LeptonError
from lepton_lab.runs.ray_cluster import connect, needs
from lepton_lab.scaling.shelf import Contents, put_on_shelf
from lepton_lab.specs import ModelSpec, TrainSpec

LOOK_SECONDS = 2.0
"""How often it is looked whether the cluster has room."""


@dataclass(frozen=True)
class Order:
    """What is to be placed.

    Attributes:
        run_dir: The run's folder, on the worker's host.
        store: The root of the store that the dataset is in.
        door: Where the worker listens for rank 0: host and port.
        notes: Where it listens to what all ranks print and use.
        key: What it recognises its ranks by.
        contents: Which dataset.
        model_spec: Which network.
        train_spec: How to train it, and on which cluster.
        max_failures: How often ranks may die and be started anew.
    """

    run_dir: Path
    store: Path
    door: tuple[str, int]
    notes: tuple[str, int]
    key: bytes = field(repr=False)
    contents: Contents
    model_spec: ModelSpec
    train_spec: TrainSpec
    max_failures: int


class Wire:
    """This process's end of the socket; what is said comes from two threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._mutex = connection, threading.Lock()

    def say(self, kind: str, **said: Any) -> None:
        """Tells the worker."""
        with self._mutex:
            self._connection.send((kind, said))

    def hear(self) -> Any:
        """What the worker says."""
        return self._connection.recv()

    def leave_with_it(self) -> None:
        """Ends this process as soon as the worker has gone."""
        try:
            self.hear()
        except (EOFError, OSError):
            os._exit(1)


def place(wire: Wire, address: str) -> None:
    """Connects, asks for the work, and has it done; says how that went."""
    try:
        ray = connect(address, "Training on a cluster")
    except LeptonError as error:
        wire.say("no cluster", how=str(error), is_lost=True)
        return
    context = ray.get_runtime_context()
    wire.say("here", host=ray.util.get_node_ip_address(), head=context.gcs_address)
    try:
        order: Order = wire.hear()
    except EOFError:  # the worker has gone, or says why there is no work
        os._exit(1)
    threading.Thread(target=wire.leave_with_it, name="worker-watch", daemon=True).start()
    threading.Thread(target=_watch_room, args=(ray, order.train_spec, wire), name="room-watch", daemon=True).start()
    how, is_lost = "", False
    try:
        _trainer(ray, order).fit()
    except LeptonError as error:
        how = str(error)
    except Exception as error:  # Ray's own, of no common base; what a rank said itself is with the worker
        how = str(error).strip().splitlines()[-1][:200]
        is_lost = not isinstance(error, ray.train.TrainingFailedError)  # who decides that is gone itself
    wire.say("over", how=how, is_lost=is_lost)
    if is_lost:
        os._exit(1)  # to take leave of a cluster that is gone takes a minute
    ray.shutdown()


def _watch_room(ray: Any, spec: TrainSpec, wire: Wire) -> None:
    """Tells the worker whenever the cluster begins or ceases to lack room for what the run wants."""
    wanted, waits = needs(spec), False
    while True:
        threading.Event().wait(LOOK_SECONDS)
        try:
            groups = ray.util.placement_group_table().values()
        except Exception:  # the cluster is going away, which `fit` sees too
            return
        lacking = any(
            group["state"] in ("PENDING", "INFEASIBLE", "RESCHEDULING") and _is_of(group["bundles"], wanted)
            for group in groups
        )
        if lacking != waits:
            waits = lacking
            wire.say("room", lacks=waits)


def _is_of(bundles: dict[int, dict[str, float]], wanted: dict[str, float]) -> bool:
    return all({name: each.get(name, 0.0) for name in wanted} == wanted for each in bundles.values())


def _trainer(ray: Any, order: Order) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from lepton_lab.scaling.far import FarJob, work
    from lepton_lab.scaling.team import PATIENCE, backends

    spec = order.train_spec
    job = FarJob(
        address=order.door,
        notes=order.notes,
        key=order.key,
        model_spec=order.model_spec,
        train_spec=spec,
        parcel=put_on_shelf(ray, order.contents, order.store),
        device="cuda" if spec.gpus_per_worker else "cpu",
        num_threads=max(1, int(spec.cpus_per_worker)),
    )
    return TorchTrainer(
        work,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend=backends(job.device), timeout_s=int(PATIENCE.total_seconds())),
        scaling_config=ScalingConfig(
            num_workers=spec.workers if spec.min_workers is None else (spec.min_workers, spec.workers),
            use_gpu=job.device == "cuda",
            resources_per_worker=needs(spec),
        ),
        run_config=RunConfig(
            name=order.run_dir.name,
            storage_path=str(order.run_dir / "ray"),
            failure_config=FailureConfig(max_failures=order.max_failures),
        ),
    )


def main(arguments: list[str]) -> int:
    """The command line."""
    os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
    with socket.socket(fileno=int(arguments[0])) as end:
        wire = Wire(Connection(os.dup(end.fileno())))
    place(wire, arguments[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
