"""Looking after an endpoint by its record alone: all about it, an earlier version, bringing it back, ending a key.

The server follows its record, and the supervisor starts the server: nothing here waits for either.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, replace
from typing import Any

from lepton_lab.errors import UnknownName
from lepton_lab.runs.endpoints import EndpointSummary, KeyRecord, edit_record, load_record, summarize
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import read_identity
from lepton_lab.runs.usage import Usage, read_usage
from lepton_lab.words import told

LOG_BYTES = 32_000
"""So much of the end of a server's log is shown."""
MOST_CHANGES = 50


def endpoint_details(store: Store, name: str) -> dict[str, Any]:
    """All about an endpoint, ready for JSON.

    Returns:
        `{"summary", "desired", "active_version", "canary_version", "canary_share", "shadow_version", "versions"`
        (newest first)`, "keys"` (each with its usage; never the key itself or its hash)`, "history"` (newest first)`,
        "drift", "processes", "tls", "log"}`; `drift` is null until there were requests.

    Raises:
        UnknownName: If there is no endpoint of this name.
        EndpointError: If its record is broken.
    """
    record = load_record(store, name)
    folder = store.endpoint_dir(name)
    used = read_usage(folder / "usage.jsonl")
    stats = read_identity(folder / "stats.json") or {}
    return {
        "summary": summarize(store, name).to_page(),
        "desired": record.desired,
        "active_version": record.active_version,
        "canary_version": record.canary_version,
        "canary_share": record.canary_share,
        "shadow_version": record.shadow_version,
        "versions": [asdict(entry) for entry in reversed(record.versions)],
        "keys": [_key(key, used.get(key.id, Usage())) for key in record.keys],
        "history": [asdict(change) for change in reversed(record.history[-MOST_CHANGES:])],
        "drift": told(stats["drift"], "warning") if isinstance(stats.get("drift"), dict) else None,
        "processes": record.processes,
        "tls": record.tls,
        "log": _end_of_log(store, name),
    }


def switch_version(store: Store, name: str, version: int) -> EndpointSummary:
    """Asks for another version to answer, without a dropped request; one that is on trial ends its trial.

    Where the server cannot load it, the one before goes on answering, and the endpoint's message says so.

    Raises:
        UnknownName: If there is no endpoint of this name.
        EndpointError: If it has no such version.
    """
    with edit_record(store, name) as record:
        record.get_version(version)
        if version != record.active_version or record.desired != "running":
            record.active_version, record.desired = version, "running"
            if version in (record.canary_version, record.shadow_version):
                record.canary_version, record.canary_share, record.shadow_version = 0, 0.0, 0
            record.note("rollback", version)
    return summarize(store, name)


def bring_back(store: Store, name: str) -> EndpointSummary:
    """Asks for a stopped endpoint to answer again, at the address that it had.

    Raises:
        UnknownName: If there is no endpoint of this name.
    """
    with edit_record(store, name) as record:
        record.desired = "running"
    return summarize(store, name)


def revoke_key(store: Store, name: str, key_id: str) -> None:
    """Ends a key; the next request with it is refused. One that was ended before stays as it is.

    Raises:
        UnknownName: If the endpoint has no key of this id.
    """
    with edit_record(store, name) as record:
        if key_id not in [key.id for key in record.keys]:
            raise UnknownName("key", key_id, [key.id for key in record.keys])
        now = time.time()
        record.keys = [
            replace(key, revoked=now) if key.id == key_id and key.revoked is None else key for key in record.keys
        ]
        record.note("key", record.active_version, f"{key_id} revoked")


def _key(key: KeyRecord, usage: Usage) -> dict[str, Any]:
    """What may be told of a key."""
    told = {name: value for name, value in asdict(key).items() if name != "sha256"}
    return {**told, "valid": key.valid(time.time()), "usage": asdict(usage)}


def _end_of_log(store: Store, name: str) -> str:
    """The last lines of the server's log, whole ones; empty where there is none."""
    try:
        with (store.endpoint_dir(name) / "server.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            end = file.read()
    except OSError:
        return ""
    if size > LOG_BYTES:
        end = end.partition(b"\n")[2]
    return end.decode("utf-8", "replace")
