"""The versions of one endpoint in service: load, warm up, swap, let the old one finish.

A request takes the active version once, at its start, and keeps it to its end; so a swap drops nothing, and the
old version is gone when its last request is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.errors import LeptonError, ServingError
from lepton_lab.runs.endpoints import EndpointRecord, VersionRecord, load_record
from lepton_lab.runs.paths import Store
from lepton_lab.serving.batcher import Batcher
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.bundle import load as load_bundle
from lepton_lab.serving.engine import Engine
from lepton_lab.serving.keys import KeyRing
from lepton_lab.serving.metrics import Metrics
from lepton_lab.serving.requests import RequestError


@dataclass(frozen=True)
class Served:
    """One version, ready to answer."""

    version: VersionRecord
    bundle: Bundle
    batcher: Batcher


class RecordWatch:
    """The endpoint's record as it stands on disk, read again only when the file is another one.

    The check is one `stat`, cheap enough for every request: a revoked key ends with the very next one.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._path = store.endpoint_dir(name) / "record.json"
        self._seen: tuple[int, int, int] | None = None
        self.record: EndpointRecord = load_record(store, name)
        self.keys = KeyRing(self.record.keys)
        self.gone = False
        self.refresh()

    def refresh(self) -> None:
        """Takes over a changed record; a broken or missing one keeps every key out until it is mended."""
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
    """

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self.folder: Path = store.endpoint_dir(name)
        self.watch = RecordWatch(store, name)
        self.metrics = Metrics()
        self.in_flight = 0
        self.ready_since = time.monotonic()
        self.problem: tuple[int, str] | None = None
        """The version that could not be taken into service, and why."""
        self.decoding = ThreadPoolExecutor(2, thread_name_prefix="decode")
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._active: Served | None = None

    @property
    def active(self) -> Served:
        """The version that answers new requests."""
        if self._active is None:
            raise RequestError(503, "The endpoint is starting; try again.", retry_after="1")
        return self._active

    @property
    def version(self) -> int:
        """Number of the version that answers; 0 before the first is loaded."""
        return self._active.version.version if self._active else 0

    def load_first(self) -> None:
        """Takes the record's active version into service.

        Raises:
            ServingError: If its bundle is not whole or does not load.
        """
        self._active = self._load(self.watch.record)
        self.ready_since = time.monotonic()

    async def follow_record(self) -> None:
        """Takes another version into service when the record says so; a bad one leaves the old one answering."""
        self.watch.refresh()
        record = self.watch.record
        wanted = record.active_version
        if self.watch.gone or wanted == self.version or (self.problem and self.problem[0] == wanted):
            return
        try:
            self._active = await asyncio.get_running_loop().run_in_executor(self.decoding, self._load, record)
            self.metrics.swaps += 1
            self.problem = None
        except LeptonError as error:
            self.problem = (wanted, str(error))

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """A place in the queue.

        Raises:
            RequestError: 503 with Retry-After when every place is taken.
        """
        if self.in_flight >= self.watch.record.max_queue:
            self.metrics.rejected += 1
            raise RequestError(503, "The endpoint is busy: its queue is full. Try again soon.", retry_after="1")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def close(self) -> None:
        """Ends the threads once what they do is done."""
        self.decoding.shutdown()
        self._computing.shutdown()

    def _load(self, record: EndpointRecord) -> Served:
        """Verifies, loads and warms up the record's active version."""
        version = record.active()
        bundle = load_bundle(self.folder / "versions" / str(version.version))
        if bundle.sha256 != version.bundle_sha256:
            raise ServingError(f"Version {version.version} is not the bundle that was deployed; deploy it again.")
        engine = Engine(bundle, record.threads)
        engine.warm_up()
        if bundle.example is not None:
            with contextlib.suppress(LeptonError):  # only to have the decoder loaded before the first request
                bundle.preparation.from_raw([bundle.example[0]])
        return Served(
            version, bundle, Batcher(engine, self._computing, max_batch=record.max_batch, metrics=self.metrics)
        )
