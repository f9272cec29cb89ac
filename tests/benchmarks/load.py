"""Load on an HTTP server: keep-alive connections that each ask again as soon as they are answered.

`python -m tests.benchmarks.load HOST PORT REQUEST_FILE --connections 32 --seconds 5` prints one line of JSON. A process
of its own, so that what is measured shares no interpreter with what measures; no HTTP library, so that it is not the
bottleneck.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import uvloop


class Connection(asyncio.Protocol):
    """One connection: sends the request, waits for the whole answer, sends it again."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request, self._tally = request, tally
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, _ = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        if not self._is_whole(bytes(head).lower()):
            return
        self._tally.add(int(head[9:12]), time.perf_counter() - self._sent)
        self._buffer.clear()
        if time.perf_counter() < self._tally.end:
            self._ask()
        else:
            self._transport.close()

    def _is_whole(self, head: bytes) -> bool:
        """Whether the body has arrived to its end."""
        if b"transfer-encoding: chunked" in head:
            return self._buffer.endswith(b"\r\n0\r\n\r\n")
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        return len(self._buffer) >= len(head) + 4 + int(length)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            if time.perf_counter() < self._tally.end:
                self._tally.statuses[0] += 1
            self.over.set_result(None)

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


class Tally:
    """What was answered, and how fast; the first part only warms up."""

    def __init__(self, warm_seconds: float, seconds: float) -> None:
        self.start = time.perf_counter() + warm_seconds
        self.end = self.start + seconds
        self.seconds = seconds
        self.total = 0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []

    def add(self, status: int, seconds: float) -> None:
        self.total += 1
        if time.perf_counter() >= self.start:
            self.statuses[status] += 1
            self.latencies.append(seconds)

    def figures(self) -> dict[str, object]:
        ordered = sorted(self.latencies) or [float("nan")]
        return {
            "per_second": round(self.statuses[200] / self.seconds, 1),
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 3),
            "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 3),
            "total": self.total,
            "statuses": dict(self.statuses),
        }


async def load(host: str, port: int, request: bytes, connections: int, warm: float, seconds: float) -> Tally:
    """Keeps a server busy."""
    tally = Tally(warm, seconds)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Connection(request, tally), host, port) for _ in range(connections)]
    async with asyncio.timeout(warm + seconds + 30):
        await asyncio.gather(*(protocol.over for _, protocol in made))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("request", type=Path)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--warm-seconds", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args()
    content = asked.request.read_bytes()
    job = load(asked.host, asked.port, content, asked.connections, asked.warm_seconds, asked.seconds)
    print(json.dumps(uvloop.run(job).figures()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
