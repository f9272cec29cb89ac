"""An S3-compatible server of one's own, over real HTTP, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVE = """
import sys
import boto3
from moto.server import ThreadedMotoServer

host, bucket, key, secret = sys.argv[1:]
server = ThreadedMotoServer(ip_address=host, port=0, verbose=False)
server.start()
url = "http://%s:%s" % server.get_host_and_port()
s3 = boto3.client(
    "s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1"
)
s3.create_bucket(Bucket=bucket)
print(url, flush=True)
sys.stdin.read()
"""
KEY = "a-key-of-the-test"
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


@contextmanager
def bucket(name: str = "lepton", host: str = "127.0.0.1", before: Sequence[str] = ()) -> Iterator[Bucket]:
    """Starts the server and makes a bucket; the server ends with the block.

    Args:
        name: The bucket's.
        host: The server's address.
        before: Words before the server's command: `ip netns exec NAME`, say.
    """
    server = subprocess.Popen(
        [*before, sys.executable, "-c", SERVE, host, name, KEY, CANARY],
        stdin=subprocess.PIPE,  # its end is the server's
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, "the server has not started"
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield Bucket(f"s3://{name}/store", environment)
    finally:
        server.kill()
        server.wait()


def files_with_the_secret(*roots: Path) -> list[Path]:
    """The files below some folders that hold the secret key."""
    found = (Path(place, name) for root in roots for place, _, names in os.walk(root) for name in names)
    return [path for path in found if path.is_file() and CANARY.encode() in path.read_bytes()]
