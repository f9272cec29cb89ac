"""One more process that answers for an endpoint, started by its server: see `crew`.

It inherits the listening socket, follows the record by itself, and leaves when its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import time
from pathlib import Path

from lepton_lab.errors import LeptonError
from lepton_lab.runs.paths import Store
from lepton_lab.serving.host import Host
from lepton_lab.serving.server import FLUSH_SECONDS, FOLLOW_SECONDS, loop_factory, uvicorn_server
from lepton_lab.serving.usage import UsageMeter

log = logging.getLogger("lepton_lab.serving")


def main(argv: list[str] | None = None) -> int:
    """Answers until the leader has gone; returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.serving.helper", description=main.__doc__)
    parser.add_argument("--store", required=True, type=Path, help="the run store")
    parser.add_argument("--name", required=True, help="the endpoint's name")
    parser.add_argument("--number", required=True, type=int, help="which helper this is, from 1")
    parser.add_argument("--socket", required=True, type=int, help="file descriptor of the listening socket")
    asked = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        host = Host(Store(asked.store), asked.name, asked.number)
        host.load_first()
    except LeptonError as error:
        log.error("helper %d: %s", asked.number, error)
        return 1
    with socket.socket(fileno=asked.socket) as listener, asyncio.Runner(loop_factory=loop_factory()) as runner:
        listener.setblocking(False)
        runner.run(Helper(host).run(listener))
    return 0


class Helper:
    """uvicorn around one host, as the leader has it, without the leader's duties.

    Args:
        host: The endpoint, its version loaded.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._usage = UsageMeter(host.folder / "usage.jsonl", compacts=False)
        self._server = uvicorn_server(host, self._usage)

    async def run(self, listener: socket.socket) -> None:
        """Answers until the leader has gone; accepted requests are answered first."""
        gc.collect()
        gc.freeze()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._leader_spoke)
        chores = asyncio.create_task(self._chores())
        try:
            await self._server.serve(sockets=[listener])
        finally:
            chores.cancel()
            self._host.close()
            self._flush()

    def _leader_spoke(self) -> None:
        """The leader says nothing; the end of its end means that it has gone."""
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._server.should_exit = True

    async def _chores(self) -> None:
        """Follows the record and flushes the accounts."""
        said, next_flush = 0, 0.0
        while not self._server.should_exit:
            with contextlib.suppress(LeptonError, OSError):
                await self._host.follow_record()
            if self._host.watch.gone or self._host.watch.record.desired == "stopped":
                self._server.should_exit = True
            now = time.monotonic()
            self._host.sleep_if_idle(now)
            if self._host.version != said or now >= next_flush:
                said, next_flush = self._host.version, now + FLUSH_SECONDS
                self._flush()
            await asyncio.sleep(FOLLOW_SECONDS)

    def _flush(self) -> None:
        """Writes what was counted; a full disk costs neither answers nor counts."""
        try:
            self._usage.flush()
            self._host.access.flush()
            self._host.leave_notes()
        except (LeptonError, OSError) as error:
            log.warning("usage could not be written yet: %s", error)


if __name__ == "__main__":
    sys.exit(main())
