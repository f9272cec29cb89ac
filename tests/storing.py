"""An S3-compatible server of one's own, over real HTTP, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

SERVE = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
CANARY = "canary-d1e2-never-to-be-written"


@dataclass
class Bucket:
    """A bucket on the server.

    Attributes:
        url: For `LEPTON_SHARED_STORAGE`.
        environment: What whoever uses it needs.
    """

    url: str
    environment: dict[str, str]

    def files(self) -> Any:
        """The bucket as fsspec's file system, with nothing remembered."""
        import s3fs

        return s3fs.S3FileSystem(
            key=self.environment["AWS_ACCESS_KEY_ID"],
            secret=self.environment["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            use_listings_cache=False,
            skip_instance_cache=True,
        )


@contextmanager
def bucket(name: str = "lepton") -> Iterator[Bucket]:
    """Starts the server and makes a bucket; the server ends with the block."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=subprocess.PIPE,  # its end is the server's
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        environment = {
            "AWS_ENDPOINT_URL": f"http://{address}",
            "AWS_ACCESS_KEY_ID": "a-key-of-the-test",
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        made = Bucket(f"s3://{name}/store", environment)
        made.files().mkdir(name)
        yield made
    finally:
        server.kill()
        server.wait()
