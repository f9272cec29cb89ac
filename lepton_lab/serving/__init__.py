"""From a run to an online endpoint: bundle, inference server, keys and metering, lifecycle, client.

| module | owns |
|---|---|
| `manifest`, `bundle`, `onnx_guard`, `folders` | the bundle: what it says, how it is verified and written |
| `export` | the way from torch to a bundle (runs in the worker; the only user of torch) |
| `engine`, `batcher` | one model under ONNX Runtime, requests answered together |
| `keys`, `usage`, `metrics` | who may ask, what was asked, how fast it was answered |
| `codec_v2`, `codec_predict` | bytes to arrays and back |
| `host`, `app`, `gate`, `server` | versions in service, routes, the closed door, the process |
| `lifecycle` | deploy, list, stop, roll back, keys |
| `client` | predictions over HTTP |
"""

from __future__ import annotations

from importlib.util import find_spec

from lepton_lab.errors import MissingExtra

NEEDED = ("onnx", "onnxscript", "onnxruntime", "starlette", "uvicorn", "httptools", "multipart", "orjson", "httpx")
"""What the extra `serve` brings."""


def require_extra(purpose: str = "Deployment") -> None:
    """Checks that the extra `serve` is installed, without importing it.

    Raises:
        MissingExtra: With the pip command.
    """
    for module in NEEDED:
        if find_spec(module) is None:
            raise MissingExtra(module, "serve", purpose)
