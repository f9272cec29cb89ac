"""Endpoints from the owner's side: deploy, stop, roll back, try a version. Keys and usage are in `accounts`.

A deploy copies the run's verified bundle into the endpoint's folder, points the record at it, and waits until the
server says that it answers with it. The supervisor starts the server; a server that is already there swaps. One
deploy of a name runs at a time.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lepton_lab.errors import EndpointError
from lepton_lab.runs.atomic import write_bytes
from lepton_lab.runs.endpoints import (
    EndpointRecord,
    EndpointSummary,
    VersionRecord,
    edit_record,
    list_endpoints,
    load_record,
    save_record,
    stop_endpoint,
    summarize,
)
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import read_identity
from lepton_lab.serving import require_extra, tls
from lepton_lab.serving.accounts import existing_folder, new_key, owner_key, revoke_key, usage_of
from lepton_lab.serving.bundle import Bundle, load
from lepton_lab.serving.crew import auto_processes
from lepton_lab.serving.engine import auto_threads
from lepton_lab.serving.keys import make_key
from lepton_lab.serving.ports import PortTaken, choose_port
from lepton_lab.serving.starting import Starter, has_server, require_own_port, start_and_wait
from lepton_lab.serving.waiting import bundle_of_run
from lepton_lab.specs import DeploySpec

__all__ = [
    "deploy",
    "list_endpoints",
    "new_key",
    "owner_key",
    "revoke_key",
    "rollback",
    "start_endpoint",
    "stop_endpoint",
    "try_version",
    "usage_of",
]

LOCK_SECONDS = 120.0
PORT_TRIES = 20
OWNER = "owner"


def deploy(
    store: Store,
    run_id: str,
    spec: DeploySpec,
    *,
    bundle_folder: Path | None = None,
    start: Starter = ensure_supervisor,
) -> tuple[EndpointSummary, str | None]:
    """Puts a run's network into service under a name.

    Args:
        store: The run store.
        run_id: The finished run.
        spec: Name, address and limits.
        bundle_folder: The bundle to serve; by default the run's own.
        start: What starts servers.

    Returns:
        The endpoint, ready; and its API key if the endpoint is new, shown this once and kept nowhere.

    Raises:
        UnknownName: If there is no such run.
        MissingExtra: If what the server needs is not installed.
        ServingError: If the run has no bundle, or the endpoint does not get ready; what answered before still does.
    """
    require_extra()
    bundle = load(bundle_folder) if bundle_folder is not None else bundle_of_run(store, run_id)
    folder = store.endpoint_dir(spec.name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _deploy_lock(folder):
        if (folder / "record.json").exists():
            return _redeploy(store, bundle, run_id, spec, start), None
        return _deploy_new(store, bundle, run_id, spec, start)


def start_endpoint(store: Store, name: str, *, start: Starter = ensure_supervisor) -> EndpointSummary:
    """Brings a stopped endpoint back at the same URL.

    Raises:
        EndpointError: If its port is taken by now, or it does not get ready.
    """
    with _deploy_lock(existing_folder(store, name)):
        require_own_port(store, load_record(store, name))
        with edit_record(store, name) as record:
            record.desired = "running"
        return start_and_wait(store, name, start)


def rollback(
    store: Store, name: str, version: int | None = None, *, start: Starter = ensure_supervisor
) -> EndpointSummary:
    """Goes back to an earlier version, without a dropped request.

    Args:
        store: The run store.
        name: The endpoint.
        version: Which one; the one before the active version if none is given.
        start: What starts servers.

    Raises:
        EndpointError: If there is no such version.
    """
    with _deploy_lock(existing_folder(store, name)):
        record = load_record(store, name)
        if version is None:
            earlier = [entry.version for entry in record.versions if entry.version < record.active_version]
            if not earlier:
                raise EndpointError(f"The endpoint {name!r} has no version before {record.active_version}.")
            version = earlier[-1]
        record.get_version(version)
        return _switch(store, name, start, "rollback", active_version=version)


def try_version(store: Store, name: str, version: int, *, share: float = 0.0, shadow: bool = False) -> EndpointRecord:
    """Puts a version on trial beside the active one, or with neither share nor shadow ends its trial.

    Args:
        store: The run store.
        name: The endpoint.
        version: One of its versions, other than the active one.
        share: Share of the requests that it answers, 0 to 1.
        shadow: Whether it gets a copy of every request; its answers are only compared.

    Raises:
        EndpointError: If there is no such version, it is the active one, or the share is out of bounds.
    """
    if not 0 <= share <= 1:
        raise EndpointError(f"share is {share:g}; expected a number from 0 to 1.")
    with edit_record(store, name) as record:
        record.get_version(version)
        if version == record.active_version:
            raise EndpointError(f"Version {version} of {name!r} is the active one; try another one beside it.")
        if share or record.canary_version == version:
            record.canary_version, record.canary_share = (version, share) if share else (0, 0.0)
        if shadow or record.shadow_version == version:
            record.shadow_version = version if shadow else 0
        what = f"{share:.0%} of the requests" if share else "shadow" if shadow else "ended"
        record.note("trial", version, what)
    return record


def _deploy_new(
    store: Store, bundle: Bundle, run_id: str, spec: DeploySpec, start: Starter
) -> tuple[EndpointSummary, str]:
    """The first deploy of a name; leaves nothing but the log behind if it fails."""
    folder = store.endpoint_dir(spec.name)
    shown, key = make_key()
    own, own_key = make_key(key_id=OWNER)
    _publish(folder, bundle, 1)
    write_bytes(folder / "owner.key", own_key.encode())
    if spec.tls:
        tls.install(folder, spec.host, spec.tls_certificate, spec.tls_key)
    tried: set[int] = set()
    try:
        while True:
            port = choose_port(store, spec.host, spec.port, tried)
            tried.add(port)
            record = EndpointRecord(spec.name, "running", 1, spec.host, port)
            record.versions = [VersionRecord(1, bundle.sha256, run_id, time.time(), _variant(bundle))]
            record.keys = [shown, own]
            record.note("deploy", 1)
            record.tls = spec.tls
            _limits(record, spec, bundle)
            save_record(store, record)
            try:
                return start_and_wait(store, spec.name, start), key
            except PortTaken:
                if len(tried) >= PORT_TRIES:
                    raise
    except BaseException:
        _forget(store, folder)
        raise


def _redeploy(store: Store, bundle: Bundle, run_id: str, spec: DeploySpec, start: Starter) -> EndpointSummary:
    """A deploy under a name that exists: same URL, another version if it is another bundle."""
    record = load_record(store, spec.name)
    running = bool(read_identity(store.endpoint_dir(spec.name) / "process.json")) and has_server(store, spec.name)
    port = _port_of_redeploy(record, spec, running)
    require_own_port(store, record, port)
    same = next((entry for entry in record.versions if entry.bundle_sha256 == bundle.sha256), None)
    if same is None:
        same = VersionRecord(
            max((entry.version for entry in record.versions), default=0) + 1,
            bundle.sha256,
            run_id,
            time.time(),
            _variant(bundle),
        )
    target = store.endpoint_dir(spec.name) / "versions" / str(same.version)
    if same not in record.versions or not target.exists():
        _publish(store.endpoint_dir(spec.name), bundle, same.version)
    with edit_record(store, spec.name) as record:
        if same not in record.versions:
            record.versions.append(same)
        _limits(record, spec, bundle)
    if running and (spec.canary or spec.shadow) and same.version != record.active_version:
        try_version(store, spec.name, same.version, share=spec.canary, shadow=spec.shadow)
        return summarize(store, spec.name)
    return _switch(store, spec.name, start, "deploy", active_version=same.version, port=port, host=record.host)


def _port_of_redeploy(record: EndpointRecord, spec: DeploySpec, running: bool) -> int:
    """The port stays, unless another one is asked for while the endpoint is stopped."""
    moves = spec.port not in (0, record.port) or ("host" in spec.model_fields_set and spec.host != record.host)
    if running and moves:
        raise EndpointError(
            f"The endpoint {record.name!r} already answers on {record.host} port {record.port}; "
            "stop it first to move it elsewhere, or deploy without host and port to keep its address."
        )
    if moves:
        record.host = spec.host
    return spec.port or record.port


def _switch(store: Store, name: str, start: Starter, what: str, **changes: Any) -> EndpointSummary:
    """Changes the record and waits until the server follows; takes the change back if it cannot."""
    with edit_record(store, name) as record:
        before = {field: getattr(record, field) for field in (*changes, "desired")}
        for field, value in {**changes, "desired": "running"}.items():
            setattr(record, field, value)
        if record.active_version in (record.canary_version, record.shadow_version):
            record.canary_version, record.canary_share, record.shadow_version = 0, 0.0, 0
        record.note(what, record.active_version)
    try:
        return start_and_wait(store, name, start)
    except BaseException:
        with edit_record(store, name) as record:
            for field, value in before.items():
                setattr(record, field, value)
            record.note(f"{what} failed", record.active_version)
        raise


def _variant(bundle: Bundle) -> str | None:
    """The recipe of a compressed bundle."""
    recipe = (bundle.manifest.compression or {}).get("recipe")
    return recipe if isinstance(recipe, str) else None


def _publish(folder: Path, bundle: Bundle, version: int) -> None:
    """Copies the verified bundle into the endpoint."""
    bundle.copy_to(folder / "versions" / str(version))


def _limits(record: EndpointRecord, spec: DeploySpec, bundle: Bundle) -> None:
    """Takes the spec's limits over."""
    threads = spec.threads or auto_threads(len(bundle.model))
    record.max_batch, record.max_queue, record.threads = spec.max_batch, spec.max_queue, spec.threads
    record.processes = spec.processes or (1 if spec.cluster else auto_processes(threads))
    record.cluster, record.replica_cpus = spec.cluster, spec.replica_cpus
    record.replicas, record.max_replicas = spec.replicas, spec.max_replicas or spec.replicas
    record.sleep_after_seconds = spec.sleep_after_seconds


def _forget(store: Store, folder: Path) -> None:
    """Undoes a first deploy that failed; the server, if any, ends when its record is gone. The log stays."""
    for name in ("record.json", "owner.key", tls.CERTIFICATE, tls.KEY):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "versions", ignore_errors=True)


@contextlib.contextmanager
def _deploy_lock(folder: Path) -> Iterator[None]:
    """One deploy of a name at a time; others wait for their turn."""
    lock = FileLock(folder / "deploy.lock", timeout=LOCK_SECONDS, mode=0o600)
    try:
        with lock:
            yield
    except Timeout:
        raise EndpointError(f"Another deploy of {folder.name!r} takes longer than {LOCK_SECONDS:g} s.") from None
