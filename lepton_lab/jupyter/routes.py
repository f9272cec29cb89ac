"""Which path is answered by which handler; the whole public surface of the extension on one page."""

from __future__ import annotations

from typing import Any

from lepton_lab.jupyter import rest, sockets
from lepton_lab.jupyter.hub import StoreHub

BASE = r"/lepton-lab/api"
NAME = r"([A-Za-z0-9_-]{1,64})"


def routes(hub: StoreHub) -> list[tuple[str, type, dict[str, Any]]]:
    """The routes, each with the hub that its handler asks."""
    table: dict[str, type] = {
        rf"{BASE}/status": rest.StatusHandler,
        rf"{BASE}/schema": rest.SchemaHandler,
        rf"{BASE}/runs": rest.RunsHandler,
        rf"{BASE}/runs/{NAME}": rest.RunHandler,
        rf"{BASE}/runs/{NAME}/report": rest.ReportHandler,
        rf"{BASE}/runs/{NAME}/curve.json": rest.CurveHandler,
        rf"{BASE}/runs/{NAME}/commands": rest.CommandsHandler,
        rf"{BASE}/endpoints": rest.EndpointsHandler,
        rf"{BASE}/endpoints/{NAME}/stop": rest.EndpointStopHandler,
        rf"{BASE}/ws": sockets.BoardSocket,
        rf"{BASE}/runs/{NAME}/ws": sockets.RunSocket,
    }
    return [(path + "/?", handler, {"hub": hub}) for path, handler in table.items()]
