"""Predictions over HTTP: the same way for a notebook, a script and another machine."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lepton_lab.errors import EndpointError, MissingExtra, ServingError
from lepton_lab.runs.endpoints import load_record
from lepton_lab.runs.paths import Store

if TYPE_CHECKING:
    import ssl

    import httpx

ITEMS_PER_REQUEST = 256
BYTES_PER_REQUEST = 8 * 2**20
PATIENCE_SECONDS = 5.0
"""How long a busy or restarting endpoint is asked again."""
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Client:
    """Asks an endpoint.

    Args:
        url: The endpoint's URL, as `deploy` gave it (behind a proxy: the proxy's).
        key: The API key.
        timeout_seconds: Longest wait for one answer.
        transport: Another way to send requests, for tests.
        verify: How to check the certificate of an endpoint with TLS.

    Raises:
        MissingExtra: If httpx or orjson is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        try:
            import httpx
            import orjson
        except ImportError as error:
            raise MissingExtra(error.name or "httpx", "serve", "Prediction") from None
        self.url = url.rstrip("/")
        self._httpx, self._orjson = httpx, orjson
        self._http = httpx.Client(
            base_url=self.url + "/",
            headers={"X-API-Key": key},
            timeout=timeout_seconds,
            transport=transport,
            verify=verify,
            trust_env=httpx.URL(self.url).host not in _LOOPBACK,
        )

    @classmethod
    def of(cls, store: Store, name: str) -> Client:
        """A client for an endpoint of this store, with the owner's key."""
        from lepton_lab.serving.lifecycle import owner_key
        from lepton_lab.serving.tls import context_for

        verify = context_for(store.endpoint_dir(name))
        return cls(load_record(store, name).url(), owner_key(store, name), verify=verify)

    def predict(self, items: Any, *, top: int | None = None, explain: bool = False) -> list[dict[str, Any]]:
        """Labels for items.

        Args:
            items: A list of items, or one: a picture (bytes, a path, an array), a row (a mapping of columns, a line
                of CSV), nested lists; a data frame gives its rows.
            top: How many classes to list in `scores`; all (at most 100) if not given.
            explain: Whether each answer is to say what it rests on; items are then asked one by one.

        Returns:
            For each item `{"label", "confidence", "scores": {class: score}}`.

        Raises:
            EndpointError: If the endpoint does not answer or refuses the key.
            ServingError: If it refuses the items, with its own sentence.
        """
        answers: list[dict[str, Any]] = []
        query = {} if top is None else {"top": str(top)}
        instances = _as_instances(items)
        if explain:
            query["explain"] = "true"
            bodies: Iterable[bytes] = (body for each in instances for body in self._bodies([each]))
        else:
            bodies = self._bodies(instances)
        for body in bodies:
            answers += self._ask("POST", "predict", content=body, params=query)["predictions"]
        return answers

    def info(self) -> dict[str, Any]:
        """What the model is and takes."""
        found: dict[str, Any] = self._ask("GET", "info")
        return found

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bodies(self, instances: Iterable[Any]) -> Iterator[bytes]:
        """JSON bodies of at most `ITEMS_PER_REQUEST` items and about `BYTES_PER_REQUEST`."""
        parts: list[bytes] = []
        for instance in instances:
            parts.append(self._orjson.dumps(instance, option=self._orjson.OPT_SERIALIZE_NUMPY, default=_plain))
            if len(parts) >= ITEMS_PER_REQUEST or sum(map(len, parts)) >= BYTES_PER_REQUEST:
                yield _joined(parts)
                parts = []
        if parts:
            yield _joined(parts)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        """One answer; a busy or restarting endpoint is asked again for a while."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                response = self._http.request(method, path, headers={"Content-Type": "application/json"}, **options)
            except self._httpx.TransportError as error:
                if isinstance(error, self._httpx.TimeoutException) or time.monotonic() > deadline:
                    raise EndpointError(
                        f"The endpoint does not answer at {self.url} ({type(error).__name__}); "
                        "is it running? Deploy it again, or look at its server.log."
                    ) from None
                pause_seconds = 0.1
            else:
                if response.status_code != 503 or time.monotonic() > deadline:
                    return self._read(response)
                pause_seconds = min(float(response.headers.get("Retry-After", "1")), 1.0)
            time.sleep(pause_seconds)

    def _read(self, response: httpx.Response) -> Any:
        """The answer's JSON, or its error as an exception."""
        try:
            content = self._orjson.loads(response.content)
        except self._orjson.JSONDecodeError:
            content = {}
        if response.status_code == 200:
            return content
        said = content.get("error") if isinstance(content, dict) else None
        if response.status_code == 401:
            raise EndpointError(f"The endpoint at {self.url} refuses the API key; it may have been revoked.")
        if response.status_code == 503:
            raise EndpointError(f"The endpoint at {self.url} is busy: {said or 'try again later.'}")
        raise ServingError(said or f"The endpoint at {self.url} answered with status {response.status_code}.")


def _as_instances(items: Any) -> Iterator[Any]:
    """What was given, as JSON-able instances."""
    if hasattr(items, "to_dicts"):  # polars
        items = items.to_dicts()
    elif hasattr(items, "to_dict") and hasattr(items, "columns"):  # pandas
        items = items.to_dict("records")
    single = isinstance(items, bytes | bytearray | memoryview | str | Path | Mapping)
    for item in [items] if single else items:
        yield _as_instance(item)


def _as_instance(item: Any) -> Any:
    """One item as JSON-able values."""
    if isinstance(item, str) and Path(item).suffix.lower() in PICTURE_SUFFIXES:
        item = Path(item)
    if isinstance(item, Path):
        try:
            item = item.read_bytes()
        except OSError as error:
            raise ServingError(f"{item} cannot be read: {error.strerror}.") from None
    if isinstance(item, bytes | bytearray | memoryview):
        return {"b64": base64.b64encode(item).decode()}
    return dict(item) if isinstance(item, Mapping) else item


def _plain(value: Any) -> Any:
    """What JSON does not know: arrays that are not contiguous, numpy scalars, the values of frames."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError


def _joined(parts: list[bytes]) -> bytes:
    return b'{"instances":[' + b",".join(parts) + b"]}"
