"""API keys: 256 random bits, shown once, kept as SHA-256, compared in constant time, gone the moment one is revoked."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable

from lepton_lab.runs.endpoints import KeyRecord

KEY_PREFIX = "lpt_"
MAX_KEY_CHARACTERS = 128


def make_key(
    *, expires: float | None = None, key_id: str | None = None, requests_per_minute: int | None = None
) -> tuple[KeyRecord, str]:
    """A new key.

    Args:
        expires: Unix seconds after which it no longer opens anything; `None` for never.
        key_id: Its name in records and usage; random where none is given.
        requests_per_minute: How often it may ask; `None` for no limit.

    Returns:
        What is kept, and the key itself, which is kept nowhere else.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    identity = key_id or "key-" + secrets.token_hex(4)
    prefix = key[: len(KEY_PREFIX) + 4]
    record = KeyRecord(identity, prefix, hash_key(key), time.time(), expires, requests_per_minute=requests_per_minute)
    return record, key


def hash_key(key: str) -> str:
    """SHA-256 of a key, in hexadecimal; a 256-bit random secret needs no salt and no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class KeyRing:
    """The keys of one endpoint, as its record has them at this moment."""

    def __init__(self, keys: Iterable[KeyRecord]) -> None:
        self._keys = tuple(keys)

    def check(self, key: str) -> KeyRecord | None:
        """The record of a key that opens the endpoint now, else `None`. Every record is compared, hash with hash."""
        if not key or len(key) > MAX_KEY_CHARACTERS:
            return None
        digest, found = hash_key(key), None
        for record in self._keys:
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found if found is not None and found.valid(time.time()) else None


def key_from_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key of a request: `X-API-Key`, else `Authorization: Bearer`; empty where there is none.

    `X-API-Key` goes first because a proxy in front (Jupyter's) may use `Authorization` for itself.
    """
    bearer = ""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].decode("latin-1").strip()
    return bearer
