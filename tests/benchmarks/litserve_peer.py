"""LitServe around the small CNN, as in its documentation; its workers need the class at the top of a module."""

from typing import Any

import litserve
import torch

from tests.benchmarks.serving_peers import network


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = network()

    def decode_request(self, request: dict[str, Any]) -> torch.Tensor:
        return torch.tensor(request["data"])

    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(self.model(x.unsqueeze(0)), 1)[0]

    def encode_response(self, output: torch.Tensor) -> dict[str, list[float]]:
        return {"scores": output.tolist()}


class BatchedApi(Api):
    def predict(self, x: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(self.model(x), 1)


def server(batched: bool) -> litserve.LitServer:
    """LitServe's defaults; batched: 32 together, waiting at most 5 ms for them."""
    api = BatchedApi(max_batch_size=32, batch_timeout=0.005) if batched else Api()
    return litserve.LitServer(api, accelerator="cpu")
