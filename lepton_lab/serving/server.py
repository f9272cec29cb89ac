"""The endpoint's process: `python -m lepton_lab.serving.server --store PATH --name NAME`.

It holds the endpoint's lock while it lives (so there is never a second one), binds its address, verifies and warms
up the bundle, says in `process.json` that it is ready, and then follows `record.json`: keys, versions, and whether
it is wanted at all. Never imports torch.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from filelock import FileLock, Timeout

from lepton_lab.errors import EndpointError, LeptonError
from lepton_lab.runs.atomic import write_json
from lepton_lab.runs.endpoints import EndpointRecord
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import write_identity
from lepton_lab.serving.app import build_app
from lepton_lab.serving.crew import Crew
from lepton_lab.serving.express import ExpressProtocol
from lepton_lab.serving.host import Host
from lepton_lab.serving.leaving import is_to_be_taken_off, take_off
from lepton_lab.serving.ports import PortTaken
from lepton_lab.serving.tls import CERTIFICATE, KEY
from lepton_lab.serving.usage import UsageMeter, read_usage

log = logging.getLogger("lepton_lab.serving")

FOLLOW_SECONDS = 0.1
FLUSH_SECONDS = 1.0
SUPERVISE_SECONDS = 2.0
DRAIN_SECONDS = 10
TAKEOVER_SECONDS = 2.0
"""How long a server waits for one before it that is about to leave."""
MAX_CONNECTIONS = 2048
HELPERS_LEAVE_SECONDS = 1.0
"""How long the helpers of a leader that was killed may keep its port."""


def main(argv: list[str] | None = None) -> int:
    """Runs one endpoint until it is no longer wanted; returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.serving.server", description=main.__doc__)
    parser.add_argument("--store", required=True, type=Path, help="The run store")
    parser.add_argument("--name", required=True, help="The endpoint's name")
    asked = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    store = Store(asked.store)
    folder = store.endpoint_dir(asked.name)
    try:
        with _sole_server(folder):
            return _serve(store, asked.name, folder)
    except LeptonError as error:
        log.error("%s", error)
        return 1


@contextlib.contextmanager
def _sole_server(folder: Path) -> Iterator[None]:
    """Holds the endpoint's lock; a second server says so and ends."""
    try:
        with FileLock(folder / "server.lock", timeout=TAKEOVER_SECONDS, mode=0o600):
            yield
    except Timeout:
        raise EndpointError(f"The endpoint {folder.name!r} already has a server.") from None


def _serve(store: Store, name: str, folder: Path) -> int:
    """Loads, answers, and leaves the reason behind where it cannot."""
    status = _Status(folder / "process.json")
    try:
        if is_to_be_taken_off(folder):
            take_off(folder)
            return 0
        host = Host(store, name)
        status.write(port=host.watch.record.port)
        listener = bind(host.watch.record)
        host.load_first()
    except LeptonError as error:
        status.write(message=str(error), port_taken=isinstance(error, PortTaken))
        log.error("%s", error)
        return 1
    with contextlib.closing(listener), asyncio.Runner(loop_factory=loop_factory()) as runner:
        crew = Crew(store.root, name, listener.fileno(), host.watch.record.processes, host.notes)
        runner.run(EndpointServer(store, host, status, crew).run(listener))
    return 0


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is installed: twice the requests for the same cores."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def bind(record: EndpointRecord) -> socket.socket:
    """A listening socket on the record's address.

    Raises:
        PortTaken: If the port is taken or the address is not this machine's.
    """
    deadline = time.monotonic() + (HELPERS_LEAVE_SECONDS if record.processes > 1 else 0.0)
    while True:
        try:
            return _bind(record)
        except PortTaken:  # perhaps by helpers that have just lost their leader
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)


def _bind(record: EndpointRecord) -> socket.socket:
    family = socket.AF_INET6 if ":" in record.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((record.host, record.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"The endpoint {record.name!r} cannot listen on {record.host} port {record.port} "
            f"({(error.strerror or str(error)).lower()}). Stop the program that uses the port, "
            "or deploy with another port."
        ) from None
    listener.setblocking(False)
    return listener


class _Status:
    """`process.json`: this process, and how it stands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fields: dict[str, Any] = {"ready": False, "version": 0, "message": None, "problem": None}

    def write(self, **fields: Any) -> None:
        """Changes some fields, and the file where that makes a difference."""
        changed = {**self._fields, **fields}
        if changed != self._fields or not self._path.exists():
            self._fields = changed
            write_identity(self._path, **changed)


class _Server(uvicorn.Server):
    """uvicorn, but a signal ends it in order: its own way raises the signal again before anything can be written."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes SIGTERM and SIGINT as the wish to answer what is accepted and leave; a second SIGINT hurries."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


class EndpointServer:
    """uvicorn around one host, with the chores that go on beside it.

    Args:
        store: The run store.
        host: The endpoint, its first version loaded.
        status: Told when it is ready.
        crew: The other processes that answer.
    """

    def __init__(self, store: Store, host: Host, status: _Status, crew: Crew) -> None:
        self._store, self._host, self._status, self._crew = store, host, status, crew
        usage_path = host.folder / "usage.jsonl"
        self._usage = UsageMeter(usage_path)
        self._requests_before = sum(usage.requests for usage in read_usage(usage_path).values())
        self._stats: dict[str, Any] = {}
        self._server = uvicorn_server(host, self._usage)

    async def run(self, listener: socket.socket) -> None:
        """Answers until the record no longer wants it, or a signal ends it; accepted requests are answered first."""
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        gc.collect()
        gc.freeze()
        chores = asyncio.create_task(self._chores())
        try:
            await self._server.serve(sockets=[listener])
        finally:
            chores.cancel()
            await asyncio.to_thread(self._crew.dismiss)
            if self._host.has_lost_cluster:
                self._leave_at_once()
            self._host.close()
            self._status.write(ready=False)
            self._flush()
        log.info("endpoint %s stopped", self._host.name)

    def _leave_at_once(self) -> NoReturn:
        """Ends the process without its threads, which may wait for a cluster that is gone."""
        self._status.write(ready=False, message="The cluster has gone; the endpoint waits for it to come back.")
        self._flush()
        log.warning("endpoint %s has lost its cluster; another server looks for it", self._host.name)
        os._exit(1)

    async def _chores(self) -> None:
        """Follows the record, flushes the accounts, and keeps the supervisor alive."""
        while not self._server.started:
            await asyncio.sleep(0.002)
        self._report_ready()
        next_flush = time.monotonic() + FLUSH_SECONDS
        next_supervision = time.monotonic() + SUPERVISE_SECONDS
        while not self._server.should_exit:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                await self._follow()
            except (LeptonError, OSError) as error:
                log.warning("the record could not be followed yet: %s", error)
            now = time.monotonic()
            self._host.sleep_if_idle(now)
            if now >= next_flush:
                next_flush = now + FLUSH_SECONDS
                self._flush()
            if now >= next_supervision:
                next_supervision = now + SUPERVISE_SECONDS
                await asyncio.to_thread(self._supervise)

    async def _follow(self) -> None:
        """Does what the record says: another version, or the end."""
        await self._host.follow_record()
        watch = self._host.watch
        if watch.gone or watch.record.desired == "stopped" or self._host.has_lost_cluster:
            self._server.should_exit = True
            return
        self._crew.keep()
        problem = self._host.problem
        said: dict[str, Any] = {"problem": {"version": problem[0], "message": problem[1]} if problem else None}
        if self._crew.is_at(self._host.version):
            said["version"] = self._host.version
        self._status.write(**said)

    def _report_ready(self) -> None:
        """Says that the endpoint answers."""
        self._status.write(ready=True, version=self._host.version, message=None)
        record = self._host.watch.record
        log.info("endpoint %s version %d answers on %s", record.name, self._host.version, record.url())
        if not record.tls and record.host not in ("127.0.0.1", "::1", "localhost"):
            log.warning("%s is reachable from other machines and not encrypted; keys travel in the clear", record.host)

    def _flush(self) -> None:
        """Writes usage and statistics; a full disk costs neither answers nor counts."""
        counted = self._host.notes.total(self._host.metrics)
        requests = self._requests_before + sum(counted.requests.values()) - counted.requests["closed", 401]
        stats: dict[str, Any] = {
            "requests": requests,
            "p95_ms": counted.p95_ms(),
            "rejected": counted.rejected,
        }
        if not self._host.asleep:
            own, version = self._host.active.drift, self._host.version
            stats["drift"] = self._host.notes.drift(own, version).report()
        try:
            self._usage.flush()
            self._host.access.flush()
            if stats != self._stats:
                write_json(self._host.folder / "stats.json", stats, durable=False)
                self._stats = stats
        except (LeptonError, OSError) as error:
            log.warning("usage could not be written yet: %s", error)

    def _supervise(self) -> None:
        """Starts the supervisor again where it is gone."""
        try:
            ensure_supervisor(self._store)
        except (LeptonError, OSError) as error:
            log.warning("the supervisor could not be started: %s", error)


def uvicorn_server(host: Host, usage: UsageMeter) -> _Server:
    """The HTTP server of one process of an endpoint."""
    config = uvicorn.Config(
        build_app(host, usage),
        http=ExpressProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **_certificate(host),
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return _Server(config)


def _certificate(host: Host) -> dict[str, Any]:
    """uvicorn's options for TLS, where the endpoint has a certificate."""
    if not host.watch.record.tls:
        return {}
    return {"ssl_certfile": str(host.folder / CERTIFICATE), "ssl_keyfile": str(host.folder / KEY)}


if __name__ == "__main__":
    sys.exit(main())
