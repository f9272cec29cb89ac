"""Ray Serve around the small CNN, as in its documentation; replicas import this module by its name."""

from typing import Any

import torch
from ray import serve
from starlette.requests import Request

from tests.benchmarks.serving_peers import network


@serve.deployment
class Net:
    def __init__(self) -> None:
        self.model = network()

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        item = await request.json()
        with torch.inference_mode():
            scores = torch.softmax(self.model(torch.tensor(item["data"]).unsqueeze(0)), 1)
        return {"scores": scores[0].tolist()}


@serve.deployment(max_ongoing_requests=64)
class BatchedNet:
    def __init__(self) -> None:
        self.model = network()

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.005)
    async def answers(self, rows: list[torch.Tensor]) -> list[list[float]]:
        with torch.inference_mode():
            return torch.softmax(self.model(torch.stack(rows)), 1).tolist()

    async def __call__(self, request: Request) -> dict[str, Any]:
        item = await request.json()
        return {"scores": await self.answers(torch.tensor(item["data"]))}


def serve_forever(port: int, batched: bool) -> None:
    """Serve's defaults on a cluster of this machine alone; batched: 32 together, waiting at most 5 ms for them."""
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run((BatchedNet if batched else Net).bind(), route_prefix="/predict", blocking=True)
