"""Which path is answered by which handler; the whole public surface of the extension on one page."""

from __future__ import annotations

from typing import Any

from lepton_lab.jupyter import endpoints_rest, kept_rest, rest, sockets
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
        rf"{BASE}/runs/{NAME}/details": kept_rest.DetailsHandler,
        rf"{BASE}/runs/{NAME}/labels": kept_rest.LabelsHandler,
        rf"{BASE}/runs/{NAME}/retry": kept_rest.RetryHandler,
        rf"{BASE}/runs/{NAME}/continue": kept_rest.ContinueHandler,
        rf"{BASE}/runs/{NAME}/fork": kept_rest.ForkHandler,
        rf"{BASE}/runs/{NAME}/verify": kept_rest.VerifyHandler,
        rf"{BASE}/runs/{NAME}/queue": kept_rest.QueueHandler,
        rf"{BASE}/runs/{NAME}/delete": kept_rest.DeleteHandler,
        rf"{BASE}/runs/{NAME}/monitor": kept_rest.RunMonitorHandler,
        rf"{BASE}/compare": kept_rest.CompareHandler,
        rf"{BASE}/space": kept_rest.SpaceHandler,
        rf"{BASE}/monitor": kept_rest.MonitorHandler,
        rf"{BASE}/endpoints": rest.EndpointsHandler,
        rf"{BASE}/endpoints/{NAME}": endpoints_rest.EndpointHandler,
        rf"{BASE}/endpoints/{NAME}/stop": rest.EndpointStopHandler,
        rf"{BASE}/endpoints/{NAME}/start": endpoints_rest.EndpointStartHandler,
        rf"{BASE}/endpoints/{NAME}/version": endpoints_rest.EndpointVersionHandler,
        rf"{BASE}/endpoints/{NAME}/revoke": endpoints_rest.EndpointRevokeHandler,
        rf"{BASE}/ws": sockets.BoardSocket,
        rf"{BASE}/runs/{NAME}/ws": sockets.RunSocket,
    }
    return [(path + "/?", handler, {"hub": hub}) for path, handler in table.items()]
