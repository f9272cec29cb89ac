"""Which port an endpoint answers on: chosen once, kept for its name."""

from __future__ import annotations

import contextlib
import socket

from lepton_lab.errors import EndpointError, LeptonError
from lepton_lab.runs.endpoints import endpoint_names, load_record
from lepton_lab.runs.paths import Store

FIRST_PORT = 8700
NUM_PORTS = 1000
"""Below the range that systems lend to outgoing connections, so that a port kept for a name stays free for it."""


class PortTaken(EndpointError):
    """The port that an endpoint should answer on is in use."""


def choose_port(store: Store, host: str, wanted: int, tried: set[int]) -> int:
    """A free port for a new endpoint: the wanted one, else the next one up.

    Args:
        store: Its other endpoints keep their ports, whether they run or not.
        host: The address to listen on.
        wanted: The first port to try; 0 for the house's own range.
        tried: Ports that turned out to be taken.

    Raises:
        PortTaken: If there is none.
    """
    kept = set(tried)
    for name in endpoint_names(store):
        with contextlib.suppress(LeptonError):
            kept.add(load_record(store, name).port)
    first = wanted or FIRST_PORT
    for port in range(first, min(first + NUM_PORTS, 65_536)):
        if port not in kept and is_free(host, port):
            return port
    raise PortTaken(f"No port from {first} on is free on {host}; stop a program or name another port.")


def require_free(name: str, host: str, port: int) -> None:
    """Checks that an existing endpoint can have its port.

    Raises:
        PortTaken: If another program uses it.
    """
    if not is_free(host, port):
        raise PortTaken(
            f"Port {port} of the endpoint {name!r} is used by another program. "
            "Stop that program, or deploy with another port."
        )


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        EndpointError: If the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except socket.gaierror:
            raise EndpointError(
                f"The host {host!r} is not known here; use 127.0.0.1 or one of this machine's."
            ) from None
        except OSError:
            return False
    return True
