"""Waiting for an endpoint's server: has one started, and says in plain words why it does not answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lepton_lab.errors import EndpointError
from lepton_lab.runs.endpoints import EndpointRecord, EndpointSummary, load_record, summarize
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, read_identity
from lepton_lab.serving.ports import PortTaken, require_free

READY_SECONDS = 30.0
CLUSTER_READY_SECONDS = 150.0
"""A cluster may have to start its hosts' processes first."""
Starter = Callable[[Store], None]
"""Sees to it that endpoints whose record says "running" have a server; the supervisor does."""


def start_and_wait(store: Store, name: str, start: Starter) -> EndpointSummary:
    """Has a server started where there is none, and waits until it answers with the active version.

    Raises:
        PortTaken: If the server found its port taken.
        EndpointError: If it failed, or is not ready in time; with the log's last line.
    """
    folder = store.endpoint_dir(name)
    record = load_record(store, name)
    if not has_server(store, name):
        (folder / "process.json").unlink(missing_ok=True)
    start(store)
    patience = CLUSTER_READY_SECONDS if record.cluster else READY_SECONDS
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        process = read_identity(folder / "process.json") or {}
        if process.get("ready") and process.get("version") == record.active_version and alive(process):
            return summarize(store, name)
        _raise_failure(process, record, folder)
        time.sleep(0.005)
    raise EndpointError(f"The endpoint {name!r} did not get ready within {patience:g} s.{_last_line(folder)}")


def _raise_failure(process: dict[str, Any], record: EndpointRecord, folder: Path) -> None:
    """Turns what the server reports into an error, where it reports one for this version."""
    problem = process.get("problem") or {}
    if problem.get("version") == record.active_version:
        raise EndpointError(
            f"Version {record.active_version} of {record.name!r} was not taken into service: {problem.get('message')} "
            "The version before it still answers."
        )
    if process.get("message") and process.get("port") == record.port and not alive(process):
        kind = PortTaken if process.get("port_taken") else EndpointError
        raise kind(f"The endpoint {record.name!r} did not start: {process['message']}{_last_line(folder)}")


def _last_line(folder: Path) -> str:
    """What the server said last, as the end of an error message."""
    with contextlib.suppress(OSError):
        lines = (folder / "server.log").read_text("utf-8", "replace").strip().splitlines()
        if lines:
            return f" Last line of server.log: {lines[-1][:300]}"
    return " Its server.log is empty: the supervisor may not have started it."


def require_own_port(store: Store, record: EndpointRecord, port: int | None = None) -> None:
    """Says at once, and in plain words, when an endpoint's port went to somebody else while it was down."""
    if not has_server(store, record.name):
        require_free(record.name, record.host, port or record.port)


def has_server(store: Store, name: str) -> bool:
    """Whether the endpoint's server lives."""
    return alive(read_identity(store.endpoint_dir(name) / "process.json"))
