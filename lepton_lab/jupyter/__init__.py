"""The Jupyter Server extension: the run store over REST and WebSockets, for the panel and the run renderer.

It reads and commands the store that supervisor and workers keep; it trains nothing, loads no torch, and a server
that dies takes no run with it. Every route asks for the Jupyter login.
"""

from __future__ import annotations

from typing import Any

from lepton_lab.jupyter.extension import LeptonExtension

__all__ = ["LeptonExtension"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "lepton_lab.jupyter", "app": LeptonExtension}]
