"""`/predict`: what a person has goes in (a picture, a sentence, a sound, a row), answers come out (see `answers`).

| Content-Type | body |
|---|---|
| `application/json` | `{"instances": [...]}`, or one row as an object |
| `image/*`, `audio/*`, `application/octet-stream` | one file; the file itself decides its format, never the header |
| `text/plain` | one sentence |
| `multipart/form-data` | picture files, or the fields of one row |
| `text/csv` | rows, with or without a line of column names |

An instance is a nested list of numbers, a sentence, a row as an object, or `{"b64": "..."}`, a file.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from lepton_lab.errors import LeptonError
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.engine import DTYPES, Inputs
from lepton_lab.serving.requests import MAX_BODY_BYTES, MAX_ROWS, RequestError, check_num_rows, loads

MAX_FIELDS = 4096
ACCEPTED = "application/json, image/png, image/jpeg, audio/wav, text/plain, multipart/form-data or text/csv"


async def decode(body: bytes, headers: Headers, columns: list[str]) -> list[Any]:
    """The raw items of a request: picture bytes, nested lists, or rows by column name.

    Raises:
        RequestError: 400 or 422 naming the field, 413 for too many items, 415 for an unknown Content-Type.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/json", ""):
        items = _from_json(loads(body))
    elif kind.startswith("image/") or kind == "application/octet-stream" or kind.startswith("audio/"):
        items = [body]
    elif kind == "text/plain":
        items = [_text(body)]
    elif kind == "multipart/form-data":
        items = await _from_multipart(body, headers)
    elif kind == "text/csv":
        items = _from_csv(body, columns)
    else:
        raise RequestError(415, f"Content-Type is {kind[:60]!r}; expected {ACCEPTED}.", "Content-Type")
    check_num_rows(len(items), "instances")
    return items


def prepare(items: list[Any], bundle: Bundle) -> Inputs:
    """Raw items to what the network is called with, by the very code that training used.

    Raises:
        RequestError: 422 with the preparation's own sentence.
    """
    try:
        found = bundle.preparation.from_raw(items)
    except LeptonError as error:
        raise RequestError(422, str(error), "instances") from None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError) as error:
        raise RequestError(422, f"instances cannot be read as input of this model ({error}).", "instances") from None
    expected = bundle.manifest.inputs
    given = found if isinstance(found, tuple) else (found,)
    inputs = tuple(
        np.ascontiguousarray(each, DTYPES[entry.datatype]) for each, entry in zip(given, expected, strict=True)
    )
    wanted = expected[0].shape[1:]
    fits = len(inputs[0]) == len(items) and len(inputs[0].shape) == len(wanted) + 1
    fits = fits and all(size in (-1, given) for size, given in zip(wanted, inputs[0].shape[1:], strict=True))
    if not fits or not np.isfinite(inputs[0]).all():
        raise RequestError(422, f"instances do not give finite rows of shape {list(wanted)}.", "instances")
    return inputs


def parse_top(text: str | None) -> int | None:
    """The query parameter `top`: how many classes to list."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:
        raise RequestError(422, f"top is {text[:20]!r}; expected a whole number from 1.", "top")
    return int(text)


def parse_flag(text: str | None, name: str) -> bool:
    """A query parameter that is true or false; false where it is missing."""
    if text not in (None, "", "0", "1", "false", "true"):
        raise RequestError(422, f"{name} is {(text or '')[:20]!r}; expected true or false.", name)
    return text in ("1", "true")


def encode(answers: list[dict[str, Any]], *, model: str, version: int, milliseconds: float) -> bytes:
    """The answer's JSON."""
    meta = {"model": model, "version": version, "milliseconds": round(milliseconds, 3)}
    return orjson.dumps({"predictions": answers, **meta})


def _text(body: bytes) -> str:
    """A sentence as it came."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"The body is not text in UTF-8: {error}.", "body") from None


def _from_json(content: Any) -> list[Any]:
    """Instances of a JSON body."""
    if not isinstance(content, dict):
        raise RequestError(422, 'The body is not a JSON object; expected {"instances": [...]} or one row.', "body")
    instances = content.get("instances")
    if not isinstance(instances, list):
        if "instances" in content and len(content) == 1:
            raise RequestError(422, "instances is not a list.", "instances")
        return [content]
    if len(content) > 1:
        other = next(key for key in content if key != "instances")
        raise RequestError(422, f"{other[:60]!r} is not known beside instances.", other[:60])
    return [_instance(item, f"instances[{index}]") for index, item in enumerate(instances[: MAX_ROWS + 1])]


def _instance(item: Any, where: str) -> Any:
    """One instance; a picture in base64 becomes its bytes."""
    if isinstance(item, dict) and item.keys() == {"b64"} and isinstance(item["b64"], str):
        try:
            return base64.b64decode(item["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise RequestError(422, f"{where}.b64 is not base64.", f"{where}.b64") from None
    return item


def _from_csv(body: bytes, columns: list[str]) -> list[Any]:
    """Rows of a CSV body; its first line may name the columns, else they come in the model's order."""
    if not columns:
        raise RequestError(415, "This model takes no CSV rows; send a picture or JSON.", "Content-Type")
    try:
        text = body.decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(400, f"The body is not CSV in UTF-8: {error}.", "body") from None
    if not lines:
        raise RequestError(422, "The body holds no row.", "body")
    first = [cell.strip() for cell in lines[0]]
    if not set(columns) <= set(first):
        return lines
    for number, row in enumerate(lines[1:], start=1):
        if len(row) != len(first):
            raise RequestError(422, f"row {number} has {len(row)} cells; expected {len(first)}.", f"row {number}")
    return [dict(zip(first, (cell.strip() for cell in row), strict=True)) for row in lines[1:]]


async def _from_multipart(body: bytes, headers: Headers) -> list[Any]:
    """Files of a form, in their order; a form without files is one row."""
    parser = MultiPartParser(
        headers, _once(body), max_files=MAX_ROWS, max_fields=MAX_FIELDS, max_part_size=MAX_BODY_BYTES
    )
    parser.spool_max_size = MAX_BODY_BYTES
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise RequestError(400, f"The form cannot be read: {error}.", "body") from None
    async with _closing(form):
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if files:
            return [await file.read() for file in files]
        row = {name: value for name, value in form.multi_items()}
    return [row] if row else []


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


class _closing:
    """Closes a form's files when the block ends."""

    def __init__(self, form: Any) -> None:
        self._form = form

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()
