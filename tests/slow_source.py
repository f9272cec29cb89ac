"""A web server that sends the beginning of a file and then waits: a load that goes on until it is cancelled."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class SlowSource:
    """What a test holds of it.

    Attributes:
        address: A mirror for the dataset `mnist`.
        reached: Set when the beginning has been sent.
        goes_on: Lets the server send more.
    """

    address: str
    reached: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def slow_source() -> Iterator[SlowSource]:
    """The server, until the block ends."""

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "9912422")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(bytes(2**19))
                source.reached.set()
                source.goes_on.wait(60)
                self.wfile.write(bytes(2**20))

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        source = SlowSource(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield source
        finally:
            source.goes_on.set()
            server.shutdown()
