"""The durable record of an endpoint, and what can be said and done with the record alone.

```
endpoints/<name>/
  record.json     what is wanted: versions, the active one, address, limits, keys (hashes); edited under a lock
  versions/<n>/   verified copies of bundles
  process.json    written by the server: who it is, where it answers, which version, what is wrong
  stats.json      written by the server: requests, errors, 95th percentile of the latency, drift
  usage.jsonl     written by the server: who asked how much
  owner.key       the owner's own key (mode 0600)
  server.log
```
One writer per file: faces edit the record, the server the rest. Nothing here needs more than the standard library,
psutil and filelock; deploying lives in `lepton_lab.serving.lifecycle`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from filelock import FileLock, Timeout

from lepton_lab.errors import EndpointError, LeptonError, StoreError, UnknownName
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, read_identity, terminate
from lepton_lab.runs.servers import LEFT_FILE
from lepton_lab.specs import NAME_PATTERN
from lepton_lab.words import told

STOP_SECONDS = 15.0
"""Longest time that a server gets to answer what it has accepted."""
MAX_HISTORY = 1000
State = Literal["starting", "ready", "failed", "stopped"]


@dataclass(frozen=True)
class VersionRecord:
    """One deployed bundle; `variant` names the recipe of a compressed one."""

    version: int
    bundle_sha256: str
    run_id: str
    created: float
    variant: str | None = None


@dataclass(frozen=True)
class Change:
    """One line of an endpoint's history: what was done to it, in a word, and to which version."""

    time: float
    what: str
    version: int
    detail: str = ""


@dataclass(frozen=True)
class KeyRecord:
    """One API key; the key itself is kept nowhere. Times are unix seconds."""

    id: str
    prefix: str
    sha256: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    requests_per_minute: int | None = None

    def valid(self, now: float) -> bool:
        """Whether the key opens the endpoint at this time."""
        return self.revoked is None and (self.expires is None or now < self.expires)


@dataclass
class EndpointRecord:
    """What is wanted of an endpoint.

    Attributes:
        processes: How many processes answer on its socket.
        canary_version: A version on trial, which gets `canary_share` of the requests; 0 for none.
        shadow_version: A version that gets a copy of each request and whose answers nobody sees; 0 for none.
        sleep_after_seconds: Without a request for so long the models leave the memory, until the next one; None: never.
        tls: Whether it answers over TLS, with the certificate in its folder.
        cluster: Address of the Ray cluster that its network runs on; None for this machine.
        replicas: Fewest copies of the network on the cluster.
        max_replicas: Most copies.
        replica_cpus: Cores that the cluster sets aside for each.
        history: What was done to it, the oldest first.
    """

    name: str
    desired: Literal["running", "stopped"]
    active_version: int
    host: str
    port: int
    max_batch: int = 32
    max_queue: int = 256
    threads: int | None = None
    processes: int = 1
    canary_version: int = 0
    canary_share: float = 0.0
    shadow_version: int = 0
    sleep_after_seconds: float | None = None
    tls: bool = False
    cluster: str | None = None
    replicas: int = 1
    max_replicas: int = 1
    replica_cpus: float = 1.0
    versions: list[VersionRecord] = field(default_factory=list)
    keys: list[KeyRecord] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)

    def active(self) -> VersionRecord:
        """The version that answers."""
        return self.get_version(self.active_version)

    def get_version(self, version: int) -> VersionRecord:
        """A version by its number.

        Raises:
            EndpointError: If there is none, with those that exist.
        """
        for entry in self.versions:
            if entry.version == version:
                return entry
        known = ", ".join(str(entry.version) for entry in self.versions) or "none"
        raise EndpointError(f"The endpoint {self.name!r} has no version {version}; it has: {known}.")

    def note(self, what: str, version: int, detail: str = "") -> None:
        """Adds a line to the history; the oldest go where there are more than `MAX_HISTORY`."""
        self.history = [*self.history, Change(time.time(), what, version, detail)][-MAX_HISTORY:]

    def url(self) -> str:
        """Where the endpoint answers, as seen from this machine."""
        scheme = "https" if self.tls else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EndpointRecord:
        """Reads plain values.

        Raises:
            EndpointError: If something is missing or of the wrong kind.
        """
        try:
            if not isinstance(values, dict):
                raise ValueError("not a JSON object")
            record = cls(**values)
            record.versions = [VersionRecord(**entry) for entry in values["versions"]]
            record.keys = [KeyRecord(**entry) for entry in values["keys"]]
            record.history = [Change(**entry) for entry in values.get("history", [])]
            plain = isinstance(record.port, int) and isinstance(record.active_version, int)
            if not plain or record.desired not in ("running", "stopped") or not re.match(NAME_PATTERN, record.name):
                raise ValueError("a field has an impossible value")
        except (TypeError, KeyError, ValueError) as error:
            raise EndpointError(f"The endpoint's record.json cannot be read ({error}); deploy it again.") from None
        return record


@dataclass(frozen=True)
class EndpointSummary:
    """What every face shows of an endpoint."""

    name: str
    url: str
    state: State
    version: int
    run_id: str
    requests: int = 0
    p95_ms: float | None = None
    message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    def to_page(self) -> dict[str, Any]:
        """The same for a page, with `said` beside the message (see `words.told`); the message stays English."""
        return told(self.to_dict())


def load_record(store: Store, name: str) -> EndpointRecord:
    """The record of an endpoint.

    Raises:
        UnknownName: If there is no endpoint of this name.
        EndpointError: If its record is broken.
    """
    path = store.endpoint_dir(name) / "record.json"
    if not path.exists():
        raise UnknownName("endpoint", name, endpoint_names(store))
    try:
        return EndpointRecord.from_dict(read_json(path))
    except StoreError as error:
        raise EndpointError(f"The endpoint {name!r}: {error}") from None


def save_record(store: Store, record: EndpointRecord) -> None:
    """Writes a record; the caller holds its lock."""
    write_json(store.endpoint_dir(record.name) / "record.json", record.to_dict())


@contextlib.contextmanager
def edit_record(store: Store, name: str) -> Iterator[EndpointRecord]:
    """The record under its lock; what the block changed is saved when it ends well."""
    load_record(store, name)
    with record_lock(store, name):
        record = load_record(store, name)
        yield record
        save_record(store, record)


@contextlib.contextmanager
def record_lock(store: Store, name: str, timeout_seconds: float = 20.0) -> Iterator[None]:
    """Holds the right to edit a record."""
    lock = FileLock(store.endpoint_dir(name) / "record.lock", timeout=timeout_seconds, mode=0o600)
    try:
        with lock:
            yield
    except Timeout:
        raise EndpointError(f"The record of the endpoint {name!r} is in use by another program; try again.") from None


def endpoint_names(store: Store) -> list[str]:
    """Names of all endpoints that have a record, sorted."""
    found = (path.parent.name for path in store.endpoints_dir.glob("*/record.json"))
    return sorted(name for name in found if re.match(NAME_PATTERN, name))


def summarize(store: Store, name: str) -> EndpointSummary:
    """An endpoint as it stands now.

    Raises:
        UnknownName: If there is no endpoint of this name.
        EndpointError: If its record is broken.
    """
    record = load_record(store, name)
    folder = store.endpoint_dir(name)
    process = read_identity(folder / "process.json") or {}
    stats = read_identity(folder / "stats.json") or {}
    state, message = _state(record, process)
    served = process.get("version") if state == "ready" else None
    version = served if isinstance(served, int) else record.active_version
    run_id = next((entry.run_id for entry in record.versions if entry.version == version), "")
    requests, p95_ms = stats.get("requests", 0), stats.get("p95_ms")
    drift = stats.get("drift")
    if message is None and state == "ready" and isinstance(drift, dict):
        message = drift.get("warning")
    return EndpointSummary(name, record.url(), state, version, run_id, requests, p95_ms, message)


def list_endpoints(store: Store) -> list[EndpointSummary]:
    """All endpoints by name; one with a broken record is listed as failed, never an exception."""
    found = []
    for name in endpoint_names(store):
        try:
            found.append(summarize(store, name))
        except LeptonError as error:
            found.append(EndpointSummary(name, "", "failed", 0, "", message=str(error)))
    return found


def stop_endpoint(store: Store, name: str) -> EndpointSummary:
    """Stops an endpoint: it answers what it has accepted, then it is gone. Deploying again brings it back.

    Raises:
        UnknownName: If there is no endpoint of this name.
        EndpointError: If its process does not end.
    """
    with edit_record(store, name) as record:
        record.desired = "stopped"
    process = read_identity(store.endpoint_dir(name) / "process.json")
    for seconds, hard in ((STOP_SECONDS, False), (1.0, True)):
        if process and not _ends_within(process, seconds):
            terminate(process, hard=hard)
    if (store.endpoint_dir(name) / LEFT_FILE).exists():  # a server that was killed has left something on a cluster
        ensure_supervisor(store)
    return summarize(store, name)


def _ends_within(process: dict[str, Any], seconds: float) -> bool:
    """Waits for a process to end; returns whether it did."""
    deadline = time.monotonic() + seconds
    while alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _state(record: EndpointRecord, process: dict[str, Any]) -> tuple[State, str | None]:
    """The state in one word, with the server's own sentence where it has one."""
    message = process.get("message")
    if record.desired == "stopped":
        return "stopped", None
    if alive(process):
        return ("ready" if process.get("ready") else "starting"), message
    return ("failed" if message else "starting"), message
