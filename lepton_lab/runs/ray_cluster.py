"""The way to a Ray cluster; Ray is an extra and is imported here at the earliest."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from lepton_lab.errors import MissingExtra, RunError

KNOCK_SECONDS = 5.0
NAMESPACE = "lepton"
_connecting = threading.Lock()


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
                ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
            except Exception as error:  # Ray's own, of no common base
                raise RunError(
                    f"No Ray cluster answers at {address!r} ({str(error).splitlines()[0][:200]}). Start one with "
                    "`ray start --head`, or give HOST:PORT of its head; with token authentication its token must be "
                    "on this host, too."
                ) from None
    return ray


def _knock(address: str) -> None:
    """Whether anybody listens there: Ray itself would try for a minute and then end the process.

    Raises:
        OSError: If nobody does.
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
