"""The way to a Ray cluster; Ray is an extra and is imported here at the earliest."""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import MissingExtra, RunError

if TYPE_CHECKING:
    from lepton_lab.specs import TrainSpec

KNOCK_SECONDS = 5.0
NAMESPACE = "lepton"
TOKEN_MODE = "RAY_AUTH_MODE"
PATIENCE_VARIABLE = "LEPTON_CLUSTER_PATIENCE_SECONDS"
_PATIENCE_SECONDS = 1800.0
_connecting = threading.Lock()


def require_ray(purpose: str) -> None:
    """Refuses where Ray is not installed.

    Raises:
        MissingExtra: With what to install.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray", purpose)


def connect(address: str, purpose: str) -> Any:
    """Ray, with this process as one of the cluster's drivers.

    Args:
        address: "auto" for the cluster that this host belongs to, or HOST:PORT of its head.
        purpose: What it is for, as a noun ("serving on a cluster").

    Raises:
        MissingExtra: If Ray is not installed.
        RunError: If nothing answers there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "ray", purpose) from None
    with _connecting:
        if not ray.is_initialized():
            try:
                _knock(address)
                _take_token(ray, address)
                ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
            except Exception as error:  # Ray's own, of no common base
                raise RunError(
                    f"No Ray cluster answers at {address!r} ({str(error).splitlines()[0][:200]}). Start one with "
                    "`ray start --head`, or give HOST:PORT of its head; with token authentication its token must be "
                    "on this host, too."
                ) from None
    return ray


def needs(spec: TrainSpec) -> dict[str, float]:
    """What each process of a run takes of the cluster, as Ray says it."""
    return {"CPU": spec.cpus_per_worker, **({"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {})}


def wanted(spec: TrainSpec) -> str:
    """What a run takes of the cluster, in words: "2 x 1 CPU", "8 x (1 CPU + 0.5 GPU)"."""
    each = " + ".join(f"{amount:g} {name}" for name, amount in needs(spec).items())
    return f"{spec.workers} x {f'({each})' if spec.gpus_per_worker else each}"


def fitting(spec: TrainSpec, free: dict[str, float]) -> int:
    """How many runs of that kind there is room for.

    Args:
        spec: What each takes.
        free: What is free, by Ray's name of the resource.
    """
    workers = spec.min_workers or spec.workers
    return max(0, min(int(free.get(name, 0.0) / (amount * workers) + 1e-6) for name, amount in needs(spec).items()))


def answers(address: str) -> bool:
    """Whether anybody listens at HOST:PORT; of "auto" nobody knows."""
    try:
        _knock(address)
    except OSError:
        return False
    return True


def patience_seconds() -> float:
    """How long a run or an endpoint waits for a cluster that has gone."""
    try:
        return float(os.environ.get(PATIENCE_VARIABLE, _PATIENCE_SECONDS))
    except ValueError:
        return _PATIENCE_SECONDS


def _take_token(ray: Any, address: str) -> None:
    """Shows this host's token to a cluster that asks for one; `ray start` does so by itself, `ray.init` does not.

    A token that nobody asks for would keep this process apart from a cluster without tokens.
    """
    if TOKEN_MODE in os.environ:
        return
    try:
        from ray._private.services import canonicalize_bootstrap_address_or_die

        ray._raylet.GcsClient(address=canonicalize_bootstrap_address_or_die(address))
    except ray.exceptions.AuthenticationError:
        os.environ[TOKEN_MODE] = "token"
        ray._raylet.Config.initialize("")  # which has read the environment already
    except Exception:  # nobody there, or another Ray that says it otherwise: `ray.init` tells
        return


def _knock(address: str) -> None:
    """Whether anybody listens there: Ray itself would try for a minute and then end the process.

    Raises:
        OSError: If nobody does.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
