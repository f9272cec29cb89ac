"""A request's way in: its error, its body within limits, its numbers within bounds."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from starlette.types import Receive

from lepton_lab.runs.endpoints import KeyRecord
from lepton_lab.words import language_of, say, speaking

MAX_BODY_BYTES = 16 * 2**20
MAX_ROWS = 1024
INLINE_BYTES = 64 * 1024
"""Bodies up to this size are decoded on the event loop; handing them to a thread would take longer."""
BODY_SECONDS = 9.0
"""Longest time that a client may take to send a body."""


class RequestError(Exception):
    """The client asked for something that cannot be answered.

    Args:
        status: The HTTP status, 4xx or 503.
        message: One sentence: what was given, what was expected.
        field: The field of the request that it is about.
    """

    def __init__(self, status: int, message: str, field: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def body(self, language: str = "") -> bytes:
        """The answer's JSON; its sentence is in the language that `Accept-Language` names first, else English."""
        with speaking(language_of(language.split(",")[0]) or "en"):
            return orjson.dumps({"error": say(self.message), "field": self.field})

    def header_lines(self) -> list[tuple[bytes, bytes]]:
        """The headers that this answer needs beside its type and length."""
        return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]


@dataclass
class Ticket:
    """What the gate knows of a request, and what the handler reports back for the bill."""

    key: KeyRecord
    rows: int = 0
    compute_seconds: float = 0.0
    route: str = "other"
    extra: dict[str, Any] = field(default_factory=dict)


async def read_body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    """The whole body, decompressed where the client compressed it.

    Raises:
        RequestError: 413 when it is larger than `MAX_BODY_BYTES` (also once decompressed), 408 when it takes longer
            than `BODY_SECONDS`, 415 for an unknown compression, 400 when the client went away.
    """
    _check_length(headers.get(b"content-length"))
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _gather(receive)
    except TimeoutError:
        raise RequestError(408, f"The body did not arrive within {BODY_SECONDS:g} s.", connection="close") from None
    return _decompress(body, headers.get(b"content-encoding", b"identity").strip().lower())


def loads(content: bytes, what: str = "body") -> Any:
    """JSON to plain values.

    Raises:
        RequestError: 400 with the place where it breaks.
    """
    try:
        return orjson.loads(content)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise RequestError(400, f"The {what} is not valid JSON: {error}.", what) from None


def to_float32(data: Any, where: str) -> np.ndarray:
    """Numbers, nested or flat, as a float32 array.

    Raises:
        RequestError: 422 for anything but finite numbers in a regular nest.
    """
    try:
        array = np.array(data)
    except (ValueError, OverflowError, RecursionError):
        raise RequestError(422, f"{where} is ragged; expected a regular nest of numbers.", where) from None
    if array.dtype.kind not in "fiu":
        raise RequestError(422, f"{where} holds something that is not a number; expected numbers only.", where)
    with np.errstate(over="ignore"):
        return check_finite(array.astype(np.float32), where)


def to_int64(data: Any, where: str) -> np.ndarray:
    """Whole numbers, nested or flat, as an int64 array.

    Raises:
        RequestError: 422 for anything but whole numbers in a regular nest.
    """
    try:
        array = np.array(data)
    except (ValueError, OverflowError, RecursionError):
        raise RequestError(422, f"{where} is ragged; expected a regular nest of whole numbers.", where) from None
    if array.dtype.kind != "i":
        raise RequestError(422, f"{where} holds something that is not a whole number; expected those only.", where)
    return array.astype(np.int64)


def check_finite(array: np.ndarray, where: str) -> np.ndarray:
    """The array itself, if it holds neither NaN nor infinity."""
    if not np.isfinite(array).all():
        raise RequestError(422, f"{where} holds NaN, infinity or a number too large; expected finite numbers.", where)
    return array


def check_num_rows(num_rows: int, where: str) -> None:
    """Bounds the rows of one request."""
    if num_rows < 1:
        raise RequestError(422, f"{where} is empty; expected 1 to {MAX_ROWS} rows.", where)
    if num_rows > MAX_ROWS:
        raise RequestError(413, f"{where} has {num_rows} rows; expected at most {MAX_ROWS} in one request.", where)


async def _gather(receive: Receive) -> bytes:
    """Joins the body's parts, as long as they are not too many."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        whole: bytes = message.get("body", b"")
        _check_size(len(whole))
        return whole
    parts = bytearray()
    while message["type"] == "http.request":
        parts += message.get("body", b"")
        _check_size(len(parts))
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()
    raise RequestError(400, "The client went away before the body was complete.")


def _check_length(announced: bytes | None) -> None:
    """Refuses a body by its announced length, before a byte of it is read."""
    if announced is not None and announced.isdigit():
        _check_size(int(announced[:20]))


def _check_size(num_bytes: int) -> None:
    if num_bytes > MAX_BODY_BYTES:
        limit = f"{MAX_BODY_BYTES // 2**20} MiB"
        raise RequestError(
            413, f"The body is larger than {limit}; send fewer rows at once.", "body", connection="close"
        )


def _decompress(body: bytes, encoding: bytes) -> bytes:
    """Undoes gzip or deflate without ever holding more than the limit."""
    if encoding in (b"", b"identity"):
        return body
    if encoding not in (b"gzip", b"deflate"):
        shown = encoding[:40].decode("latin-1")
        raise RequestError(
            415, f"Content-Encoding is {shown!r}; expected identity, gzip or deflate.", "Content-Encoding"
        )
    inflater = zlib.decompressobj(wbits=47)
    try:
        content = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise RequestError(400, "The body is not what its Content-Encoding says.", "Content-Encoding") from None
    _check_size(len(content))
    if not inflater.eof:
        raise RequestError(400, "The compressed body is cut off.", "Content-Encoding")
    return content
