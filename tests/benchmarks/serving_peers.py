"""Peers of the inference server, each as its own tutorial writes it: `python -m tests.benchmarks.serving_peers KIND`.

The network is the very same one, in eager torch; the body is the same nested list of numbers.
"""

import argparse
import sys
from typing import Any

import torch

from lepton_lab.models.registry import build
from lepton_lab.specs import ModelSpec, Problem

SHAPE = (1, 28, 28)
PROBLEM = Problem("classification", "image", SHAPE, (10,))


def network() -> torch.nn.Module:
    """The small CNN."""
    torch.manual_seed(0)
    return build(ModelSpec(name="cnn"), PROBLEM).eval()


def fastapi_app() -> Any:
    """FastAPI with torch: load the network once, one request one forward pass."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Item(BaseModel):
        data: list[list[list[float]]]

    app, model = FastAPI(), network()

    @app.post("/predict")
    def predict(item: Item) -> dict[str, list[float]]:
        with torch.inference_mode():
            scores = torch.softmax(model(torch.tensor(item.data).unsqueeze(0)), 1)
        return {"scores": scores[0].tolist()}

    return app


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("fastapi", "litserve", "litserve-batched", "ray", "ray-batched"))
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    if asked.kind == "fastapi":
        import uvicorn

        uvicorn.run(fastapi_app(), host="127.0.0.1", port=asked.port, log_level="warning")
    elif asked.kind.startswith("ray"):
        from tests.benchmarks.rayserve_peer import serve_forever

        serve_forever(asked.port, asked.kind == "ray-batched")
    else:
        from tests.benchmarks.litserve_peer import server as litserve_server

        server = litserve_server(asked.kind == "litserve-batched")
        server.run(host="127.0.0.1", port=asked.port, log_level="warning", generate_client_file=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
