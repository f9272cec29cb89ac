"""The versions of one endpoint in service: load, warm up, swap, let the old one finish.

A request takes the active version once, at its start, and keeps it to its end; so a swap drops nothing, and the
old version is gone when its last request is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.errors import LeptonError, ServingError
from lepton_lab.runs.endpoints import EndpointRecord, VersionRecord, load_record
from lepton_lab.runs.paths import Store
from lepton_lab.serving.about import columns_of
from lepton_lab.serving.access import AccessLog
from lepton_lab.serving.batcher import Batcher
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.bundle import load as load_bundle
from lepton_lab.serving.codec_v2 import Decoder
from lepton_lab.serving.crew import Notes
from lepton_lab.serving.drift import Drift
from lepton_lab.serving.engine import Engine
from lepton_lab.serving.keys import KeyRing
from lepton_lab.serving.metrics import Metrics
from lepton_lab.serving.requests import RequestError

log = logging.getLogger("lepton_lab.serving")


@dataclass(frozen=True)
class Served:
    """One version, ready to answer."""

    version: VersionRecord
    bundle: Bundle
    decoder: Decoder
    batcher: Batcher
    drift: Drift
    engine: Engine


class RecordWatch:
    """The endpoint's record as it stands on disk, read again only when the file is another one.

    The check is one `stat`, at most once a millisecond: a revoked key ends with the next request behind that.
    """

    LOOK_SECONDS = 0.001

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._path = store.endpoint_dir(name) / "record.json"
        self._seen: tuple[int, int, int] | None = None
        self.record: EndpointRecord = load_record(store, name)
        self.keys = KeyRing(self.record.keys)
        self.gone = False
        self._looked = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Takes over a changed record; a broken or missing one keeps every key out until it is mended."""
        now = time.monotonic()
        if now - self._looked < self.LOOK_SECONDS:
            return
        self._looked = now
        try:
            state = os.stat(self._path)
        except OSError:
            self.gone, self.keys, self._seen = True, KeyRing(()), None
            return
        seen = (state.st_mtime_ns, state.st_ino, state.st_size)
        if seen == self._seen:
            return
        try:
            self.record = load_record(self._store, self._name)
            self.keys, self.gone = KeyRing(self.record.keys), False
        except LeptonError:
            self.keys = KeyRing(())
        self._seen = seen


class Host:
    """Everything behind the routes of one endpoint.

    Args:
        store: The run store.
        name: The endpoint.
        number: Which of the endpoint's processes this is; 0 leads.
    """

    def __init__(self, store: Store, name: str, number: int = 0) -> None:
        self.name = name
        self.folder: Path = store.endpoint_dir(name)
        self.notes = Notes(self.folder, number)
        self.watch = RecordWatch(store, name)
        self.metrics = Metrics()
        self.access = AccessLog(self.folder / "access.jsonl", makes_room=number == 0)
        self.in_flight = 0
        self.ready_since = time.monotonic()
        self.problem: tuple[int, str] | None = None
        """The version that could not be taken into service, and why."""
        self.decoding = ThreadPoolExecutor(2, thread_name_prefix="decode")
        self._computing, self._lanes = ThreadPoolExecutor(1, thread_name_prefix="compute"), 1
        self._placement = placement(self.watch.record)
        self.last_request = time.monotonic()
        self._active: Served | None = None
        self._others: dict[int, Served] = {}
        self._broken: set[int] = set()
        self._slept_version = 0
        self._waking = asyncio.Lock()

    @property
    def active(self) -> Served:
        """The version that answers new requests, but for those that a canary takes."""
        if self._active is None:
            raise RequestError(503, "The endpoint is starting; try again.", retry_after="1")
        return self._active

    def pick(self) -> Served:
        """The version that answers one request: the active one, or with its share the canary."""
        canary = self._others.get(self.watch.record.canary_version)
        if canary is not None and random.random() < self.watch.record.canary_share:
            return canary
        return self.active

    @property
    def shadow(self) -> Served | None:
        """The version that gets a copy of each request, where there is one."""
        return self._others.get(self.watch.record.shadow_version)

    def loaded(self, version: int) -> Served | None:
        """A version that is in memory now."""
        return self._active if self.version == version else self._others.get(version)

    @property
    def asleep(self) -> bool:
        """Whether the models have left the memory until the next request."""
        return self._active is None and self._slept_version != 0

    def sleep_if_idle(self, now: float) -> None:
        """Lets the models leave the memory when nobody has asked for long enough."""
        after = self.watch.record.sleep_after_seconds
        if after is None or self._active is None or self.in_flight or now - self.last_request < after:
            return
        self._slept_version = self._active.version.version
        self._active, self._others = None, {}
        gc.collect()

    async def wake(self) -> None:
        """Has the models back in memory; many requests at once wake them once.

        Raises:
            RequestError: 503 if the bundle is gone or broken by now.
        """
        async with self._waking:
            if not self.asleep:
                return
            try:
                record = self.watch.record
                self._active = await self._loading(record, record.active_version)
            except LeptonError as error:
                raise RequestError(503, f"The endpoint cannot wake: {error}", retry_after="5") from None

    @property
    def version(self) -> int:
        """Number of the version that answers; 0 before the first is loaded."""
        return self._active.version.version if self._active else self._slept_version

    def leave_notes(self) -> None:
        """Has the endpoint's other processes know what this one has counted."""
        self.notes.write(self.metrics, self.version, self._active.drift if self._active else None)

    def load_first(self) -> None:
        """Takes the record's active version into service.

        Raises:
            ServingError: If its bundle is not whole or does not load.
        """
        record = self.watch.record
        self._active = self._load(record, record.active_version)
        self.ready_since = time.monotonic()

    async def follow_record(self) -> None:
        """Takes another version into service when the record says so; a bad one leaves the old one answering."""
        self.watch.refresh()
        record = self.watch.record
        if self.watch.gone:
            return
        wanted, moved = record.active_version, not self.asleep and placement(record) != self._placement
        if (wanted != self.version or moved) and not (self.problem and self.problem[0] == wanted):
            self._placement = placement(record)
            try:
                kept = None if moved else self._others.get(wanted)
                self._active = kept or await self._loading(record, wanted)
                self.metrics.swaps += 1
                self.problem = None
            except LeptonError as error:
                self.problem = (wanted, str(error))
        if self._active is not None:
            await self._follow_others(record)

    async def _follow_others(self, record: EndpointRecord) -> None:
        """Loads canary and shadow, and lets go of versions that are neither any more."""
        wanted = {record.canary_version, record.shadow_version} - {0, self.version}
        for version in wanted - set(self._others) - self._broken:
            try:
                self._others[version] = await self._loading(record, version)
            except LeptonError as error:
                self._broken.add(version)
                log.warning("version %d cannot be tried: %s", version, error)
        self._others = {version: served for version, served in self._others.items() if version in wanted}

    async def _loading(self, record: EndpointRecord, version: int) -> Served:
        """Loads a version beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.decoding, self._load, record, version)

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """A place in the queue for the length of the block.

        Raises:
            RequestError: 503 with Retry-After when every place is taken.
        """
        self.admit()
        try:
            yield
        finally:
            self.in_flight -= 1

    def admit(self) -> None:
        """Takes a place in the queue; who takes one gives it back by `in_flight -= 1`.

        Raises:
            RequestError: 503 with Retry-After when every place is taken.
        """
        record = self.watch.record
        if self.in_flight >= -(-record.max_queue // record.processes):
            self.metrics.rejected += 1
            raise RequestError(503, "The endpoint is busy: its queue is full. Try again soon.", retry_after="1")
        self.in_flight += 1
        self.last_request = time.monotonic()

    @property
    def has_lost_cluster(self) -> bool:
        """Whether the cluster that its network ran on has gone; only a new process finds the one that comes back."""
        return self._active is not None and self._active.engine.is_lost

    def close(self) -> None:
        """Ends the threads once what they do is done, and takes off a cluster what runs there."""
        self.decoding.shutdown()
        self._computing.shutdown()
        for served in (self._active, *self._others.values()):
            if served is not None:
                served.engine.close()

    def _load(self, record: EndpointRecord, number: int) -> Served:
        """Verifies, loads and warms up a version."""
        version = record.get_version(number)
        bundle = load_bundle(self.folder / "versions" / str(version.version))
        if bundle.sha256 != version.bundle_sha256:
            raise ServingError(f"Version {version.version} is not the bundle that was deployed; deploy it again.")
        engine = self._open(bundle, record)
        engine.warm_up()
        if bundle.example is not None:
            with contextlib.suppress(LeptonError):  # only to have the decoder loaded before the first request
                bundle.preparation.from_raw([bundle.example[0]])
        batcher = Batcher(engine, self._computing, max_batch=record.max_batch, metrics=self.metrics, lanes=self._lanes)
        drift = Drift(bundle.manifest.reference, bundle.manifest.classes, columns_of(bundle))
        decoder = Decoder(bundle.manifest.inputs, bundle.manifest.output.name)
        served = Served(version, bundle, decoder, batcher, drift, engine)
        weakref.finalize(served, engine.close).atexit = False  # when its last request is answered
        return served

    def _open(self, bundle: Bundle, record: EndpointRecord) -> Engine:
        """The network on this machine, or on the cluster that the record names."""
        if record.cluster is None:
            lanes, engine = 1, Engine(bundle, record.threads)
        else:
            from lepton_lab.serving.remote import RemoteEngine

            lanes, engine = max(record.replicas, record.max_replicas) + 1, RemoteEngine(bundle, record, self.folder)
        if lanes != self._lanes:
            self._computing, self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="compute"), lanes
        return engine


def placement(record: EndpointRecord) -> tuple[str | None, int, int, float]:
    """Where an endpoint's network runs, and how many copies of it."""
    if record.cluster is None:
        return (None, 1, 1, 1.0)
    return (record.cluster, record.replicas, record.max_replicas, record.replica_cpus)
