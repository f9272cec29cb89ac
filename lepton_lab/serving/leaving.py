"""What an endpoint has on a Ray cluster: written down before it is there, taken off when the endpoint is stopped.

A server that ends in order takes its applications off itself. For one that was killed, and is not to run again, the
supervisor starts a server once more, which finds the note, takes off what is left, and ends.
"""

from __future__ import annotations

import hashlib
import logging
import platform
from pathlib import Path
from typing import Any

from lepton_lab.errors import StoreError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.ray_cluster import connect
from lepton_lab.runs.servers import LEFT_FILE

log = logging.getLogger("lepton_lab.serving")
PREFIX = "lepton"


def application_prefix(folder: Path) -> str:
    """How the names of an endpoint's applications begin."""
    place = f"{platform.node()}:{folder.resolve()}"
    return f"{PREFIX}-{folder.name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}-"


def note(folder: Path, address: str) -> None:
    """Writes down that the endpoint is about to have something on the cluster at an address."""
    write_json(folder / LEFT_FILE, {"address": address})


def is_to_be_taken_off(folder: Path) -> bool:
    """Whether something is left on a cluster of an endpoint that is not to run."""
    if not (folder / LEFT_FILE).exists():
        return False
    try:
        return str(read_json(folder / "record.json")["desired"]) == "stopped"
    except (StoreError, KeyError, TypeError):
        return not (folder / "record.json").exists()


def take_off(folder: Path) -> None:
    """Takes all of the endpoint's applications off the cluster that it was on.

    Raises:
        RunError: The cluster does not answer; it is tried again.
        MissingExtra: Ray is not installed.
    """
    connect(str(read_json(folder / LEFT_FILE)["address"]), "Serving on a cluster")
    from ray import serve

    for name in _names(serve, folder):
        log.info("%s is taken off the cluster", name)
        serve.delete(name, _blocking=True)
    forget(serve, folder)


def forget(serve: Any, folder: Path) -> None:
    """Takes the note away once nothing of the endpoint is on the cluster."""
    if not _names(serve, folder):
        (folder / LEFT_FILE).unlink(missing_ok=True)


def _names(serve: Any, folder: Path) -> list[str]:
    """The endpoint's applications, those apart that are on their way out."""
    prefix, found = application_prefix(folder), serve.status().applications
    return [name for name, each in found.items() if name.startswith(prefix) and each.status != "DELETING"]
