"""The routes of an endpoint. `gate` stands before them; `codec_v2` and `codec_predict` read and write bodies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from lepton_lab.serving import codec_predict, codec_v2
from lepton_lab.serving.about import columns_of, describe
from lepton_lab.serving.answers import present
from lepton_lab.serving.engine import Inputs
from lepton_lab.serving.explain import cover, read
from lepton_lab.serving.express import Lane
from lepton_lab.serving.gate import Gate
from lepton_lab.serving.host import Host, Served
from lepton_lab.serving.openapi import document
from lepton_lab.serving.page import Page
from lepton_lab.serving.requests import INLINE_BYTES, RequestError, read_body
from lepton_lab.serving.settling import Settling
from lepton_lab.serving.usage import UsageMeter

Handler = Callable[[Request], Awaitable[Response]]


def build_app(host: Host, usage: UsageMeter) -> Gate:
    """The endpoint's ASGI application, its door included."""
    settling = Settling(host)
    gate = Gate(Router(Routes(host, settling).table(), redirect_slashes=False), host, usage)
    gate.lane = Lane(gate, host, settling)
    return gate


class Routes:
    """The handlers, with what they share.

    Args:
        host: The endpoint that they answer for.
        settling: Counts what the network answers.
    """

    def __init__(self, host: Host, settling: Settling) -> None:
        self._host, self._settling = host, settling
        self._page = Page()

    def table(self) -> list[Route]:
        """Every route of the server."""
        model = "/v2/models/{model}"
        versioned = model + "/versions/{version}"
        return [
            self._route("/", self.page),
            self._route("/v2", self.server_metadata),
            self._route("/v2/health/live", self.live),
            self._route("/v2/health/ready", self.ready),
            self._route(model, self.model_metadata),
            self._route(versioned, self.model_metadata),
            self._route(model + "/ready", self.model_ready),
            self._route(versioned + "/ready", self.model_ready),
            self._route(model + "/infer", self.infer, "POST"),
            self._route(versioned + "/infer", self.infer, "POST"),
            self._route("/predict", self.predict, "POST"),
            self._route("/info", self.info),
            self._route("/example", self.example),
            self._route("/metrics", self.metrics),
            self._route("/openapi.json", self.openapi),
        ]

    async def page(self, request: Request) -> Response:
        """The try-it page; the same for every endpoint, without any data."""
        return Response(self._page.html, media_type="text/html", headers=self._page.headers)

    async def server_metadata(self, request: Request) -> Response:
        """Name, version and extensions of the server."""
        return _json({"name": "lepton_lab", "version": "2", "extensions": ["binary_tensor_data"]})

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        """A version is loaded."""
        return _json({"ready": self._host.asleep or bool(self._host.active)})

    async def model_metadata(self, request: Request) -> Response:
        """Inputs and outputs of the model."""
        served = self._served(request)
        manifest = served.bundle.manifest
        inputs = [entry.model_dump(mode="json") for entry in manifest.inputs]
        outputs = [manifest.output.model_dump(mode="json")]
        versions = [str(served.version.version)]
        names = {"name": self._host.name, "versions": versions, "platform": "onnx_onnxv1"}
        return _json({**names, "inputs": inputs, "outputs": outputs})

    async def model_ready(self, request: Request) -> Response:
        """The model, in the version that was named, answers."""
        served = self._served(request)
        return _json({"name": self._host.name, "version": str(served.version.version), "ready": True})

    async def infer(self, request: Request) -> Response:
        """Prepared tensors in, scores out (Open Inference Protocol v2)."""
        served = self._served(request)
        manifest = served.bundle.manifest
        headers = dict(request.scope["headers"])
        body = await read_body(request.receive, headers)
        length = headers.get(codec_v2.HEADER_LENGTH.lower().encode())
        output = manifest.output.name
        asked = await self._off_loop(len(body), served.decoder.decode, body, length)
        scores = await self._scores(request, served, asked.inputs)
        content, out = codec_v2.encode(
            scores, asked, model=self._host.name, version=served.version.version, output=output
        )
        return Response(content, headers=out)

    async def predict(self, request: Request) -> Response:
        """Pictures or rows in, labels out."""
        started = time.perf_counter()
        served = self._host.pick()
        top = codec_predict.parse_top(request.query_params.get("top"))
        explains = codec_predict.parse_flag(request.query_params.get("explain"), "explain")
        body = await read_body(request.receive, dict(request.scope["headers"]))
        items = await codec_predict.decode(body, request.headers, columns_of(served.bundle))
        small = len(body) if isinstance(items[0], dict | list) else INLINE_BYTES + 1
        inputs = await self._off_loop(small, codec_predict.prepare, items, served.bundle)
        scores = await self._scores(request, served, inputs)
        answers = present(scores, served.bundle, top)
        if explains:
            covered = await self._off_loop(INLINE_BYTES + 1, cover, items, inputs, served.bundle)
            changed = await served.batcher.submit(covered.inputs)
            request.scope["lepton"].compute_seconds += changed.compute_seconds
            answers[0]["explanation"] = read(covered, scores, changed.scores, served.bundle)
        milliseconds = (time.perf_counter() - started) * 1000
        content = codec_predict.encode(
            answers, model=self._host.name, version=served.version.version, milliseconds=milliseconds
        )
        return Response(content, media_type="application/json")

    async def info(self, request: Request) -> Response:
        """What the model is and takes, for the try-it page and other faces."""
        served = self._host.active
        return _json(describe(self._host.name, served.version.version, served.bundle))

    async def example(self, request: Request) -> Response:
        """A real picture or sound to try."""
        example = self._host.active.bundle.example
        if example is None:
            raise RequestError(404, "This model has no example file; /info may have an example row.")
        return Response(example[0], media_type=example[1])

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        host = self._host
        uptime = time.monotonic() - host.ready_since
        host.leave_notes()  # whoever is asked next adds these, and no figure goes back
        total = host.notes.total(host.metrics)
        text = total.render(in_flight=host.in_flight, version=host.version, uptime_seconds=uptime)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """The description of all this for machines."""
        return _json(document(self._host.name, self._host.active.bundle, columns_of(self._host.active.bundle)))

    async def _scores(self, request: Request, served: Served, inputs: Inputs) -> np.ndarray:
        """Runs prepared rows, and puts them on the bill."""
        try:
            answer = await served.batcher.submit(inputs)
        except Exception as error:
            raise self._settling.failed(served, error) from None
        self._settling.answered(served, inputs, answer, request.scope["lepton"])
        return answer.scores

    async def _off_loop(self, num_bytes: int, work: Callable[..., Any], *arguments: Any) -> Any:
        """Decodes small bodies here, large ones on a thread."""
        if num_bytes <= INLINE_BYTES:
            return work(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._host.decoding, work, *arguments)

    def _served(self, request: Request) -> Served:
        """The version that the path names; only the active one is loaded."""
        served = self._host.active
        name, version = request.path_params["model"], request.path_params.get("version")
        if name == self._host.name and version is None and request.method == "POST":
            return self._host.pick()
        if version is not None and version.isdigit() and len(version) < 10:
            served = self._host.loaded(int(version)) or served
        if name != self._host.name:
            raise RequestError(404, f"There is no model {name[:64]!r} here; this endpoint serves {self._host.name!r}.")
        if version is not None and version != str(served.version.version):
            raise RequestError(404, f"Version {version[:20]!r} is not loaded; {served.version.version} is active.")
        return served

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """A route whose answers are counted under its pattern."""

        async def counted(request: Request) -> Response:
            ticket = request.scope.get("lepton")
            if ticket:
                ticket.route = path
            return await handler(request)

        return Route(path, counted, methods=[method], name=handler.__name__)


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
