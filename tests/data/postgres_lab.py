"""A real PostgreSQL server of a test's own on loopback, and a proxy that can cut its connections."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

USER = "reader"
PASSWORD = "canary-p%w'd é7"
"""Odd on purpose: signs that an address must escape, so that every form of it is looked for."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int

    def url(self, port: int | None = None, password: str = PASSWORD) -> str:
        from sqlalchemy import URL

        url = URL.create("postgresql+psycopg", USER, password, "127.0.0.1", port or self.port, "postgres")
        return url.render_as_string(hide_password=False)


def _programs() -> Path:
    found = shutil.which("postgres")
    homes = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    homes = [home for home in homes if (home / "initdb").exists()]
    if not homes:
        pytest.skip("NO POSTGRESQL: the tests of SQL sources need its server (Debian: postgresql)")
    return homes[-1]


def _as_whom() -> dict:
    """The server refuses to run as root; then it runs as its own user, or as nobody."""
    if os.geteuid():
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Starts a server in a folder of its own; it is gone afterwards."""
    programs, whom, port = _programs(), _as_whom(), free_port()
    home = Path(tempfile.mkdtemp(prefix="lepton-pg-"))
    try:
        (home / "password").write_text(PASSWORD + "\n", "utf-8")
        if whom:
            for place in (home, home / "password"):
                os.chown(place, whom["user"], whom["group"])
        arguments = [
            "-D",
            str(home / "data"),
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]
        start = [str(programs / "initdb"), *arguments, "--pwfile", str(home / "password")]
        subprocess.run(start, check=True, capture_output=True, cwd=home, timeout=120, **whom)
        options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(home), "-c", "fsync=off", "-c", "jit=off"]
        command = [str(programs / "postgres"), "-D", str(home / "data"), *options]
        with subprocess.Popen(
            command, cwd=home, stderr=subprocess.PIPE, text=True, env={"LC_ALL": "C"}, **whom
        ) as server:
            assert server.stderr is not None
            told = []
            for line in server.stderr:
                told.append(line)
                if "ready to accept connections" in line:
                    break
            else:
                raise RuntimeError("PostgreSQL did not start: " + "".join(told[-5:]))
            drain = threading.Thread(target=server.stderr.read, daemon=True)
            drain.start()
            try:
                yield Server(port)
            finally:
                server.terminate()
                try:
                    server.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    server.kill()
                drain.join(timeout=10)
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Proxy:
    """Hands bytes to and fro, and cuts the connection once so many came from the server.

    Args:
        port: The server's.
        cut_after: Bytes from the server after which the connection is reset; None never.
    """

    def __init__(self, port: int, cut_after: int | None) -> None:
        self._upstream, self._left = port, cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                for pair in ((client, server, False), (server, client, True)):
                    thread = threading.Thread(target=self._pump, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(16 * 1024):
                if counted and self._left is not None:
                    self._left -= len(piece)
                    if self._left < 0:
                        for end in (source, sink):
                            # A reset, as when a cable is pulled behind a router, not a polite goodbye.
                            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        break
                sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for thread in self._threads[1:]:
            thread.join(timeout=10)
