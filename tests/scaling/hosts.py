"""Hosts with addresses of their own on one machine: network namespaces on a bridge. Needs root and `ip netns`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


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
        for name, _ in made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], capture_output=True)


def inside(name: str, *, hides: Sequence[Path] = ()) -> tuple[str, ...]:
    """The words before a command that is to run on a host, which has folders of its own in place of some of ours."""
    words = ("ip", "netns", "exec", name)
    return (*words, "sh", "-c", HIDE, "sh", str(len(hides)), *map(str, hides)) if hides else words


def beside(pid: int) -> tuple[str, ...]:
    """The words before a command that is to run on the host of a process, and to see what that sees."""
    return ("nsenter", "--target", str(pid), "--net", "--mount", f"--wd={os.getcwd()}")


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
