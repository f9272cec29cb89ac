"""Hosts with addresses of their own on one machine: network namespaces on a bridge. Needs root and `ip netns`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil


class NoNamespaces(Exception):
    """This machine does not let us make them."""


@contextmanager
def hosts(count: int) -> Iterator[list[tuple[str, str]]]:
    """So many hosts that reach one another, each a namespace's name and an address.

    Raises:
        NoNamespaces: That is not possible here.
    """
    mark = os.getpid() % 250
    bridge, made = f"llbr{mark}", list[tuple[str, str]]()
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("link", "set", bridge, "up")
        for number in range(1, count + 1):
            name, wire, address = f"llns{mark}-{number}", f"llv{mark}-{number}", f"10.211.{mark}.{number}"
            _ip("netns", "add", name)
            made.append((name, address))
            _ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", wire, "master", bridge)
            _ip("link", "set", wire, "up")
            for words in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
                _ip("-n", name, *words.split())
        yield made
    finally:
        for name, _ in made:  # the wire by itself: with its namespace it goes a little later, when the next one comes
            subprocess.run(["ip", "link", "del", name.replace("llns", "llv")], capture_output=True)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], capture_output=True)


def inside(name: str) -> tuple[str, ...]:
    """The words before a command that is to speak with a host's address."""
    return ("ip", "netns", "exec", name)


def as_host(name: str, hides: Sequence[Path]) -> tuple[str, ...]:
    """The words before a command that is a host: what it starts sees no other process, and goes with it.

    Args:
        name: The namespace's name.
        hides: Folders that it has of its own in place of ours.
    """
    alone = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    return (*inside(name), *alone, "sh", "-c", HIDE, "sh", str(len(hides)), *map(str, hides))


def on(host: int) -> tuple[str, ...]:
    """The words before a command that is to run on a host, by the process that `as_host` has become."""
    first = psutil.Process(host).children()[0].pid
    return ("nsenter", "--target", str(first), "--net", "--mount", "--pid", f"--wd={os.getcwd()}")


HIDE = """
left=$1; shift
while [ "$left" -gt 0 ]; do mount -t tmpfs none "$1" && shift && left=$((left - 1)) || exit 1; done
exec "$@"
"""


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise NoNamespaces(f"ip {' '.join(words)}: {said.strip()}") from error
