"""Where and how an endpoint answers."""

from __future__ import annotations

import re
from typing import Self

from pydantic import field_validator, model_validator

from lepton_lab.specs.base import Fraction, Name, Spec, option


class DeploySpec(Spec):
    """Where and how an endpoint answers."""

    name: Name = option("default", "The endpoint's name; deploying again under it replaces the version")
    variant: str | None = option(
        None, "A variant that compress has made, or chosen (default: the network as it was trained)"
    )
    host: str = option("127.0.0.1", "Address to listen on; anything but loopback needs allow_remote", advanced=True)
    port: int = option(0, "Port (0: a free one, kept for this name)", advanced=True, ge=0, le=65_535)
    allow_remote: bool = option(False, "Accept connections from other machines (unencrypted)", advanced=True)
    canary: Fraction = option(
        0.0, "Share of the requests that a new version gets on trial; the version before keeps the rest", advanced=True
    )
    shadow: bool = option(
        False, "Give a new version a copy of each request and only compare its answers", advanced=True
    )
    sleep_after_seconds: float | None = option(
        None,
        "Let the model leave the memory without a request for so long; the next one wakes it",
        advanced=True,
        unit="s",
        ge=1,
        le=30 * 86_400,
    )
    max_batch: int = option(32, "Largest number of requests answered together", advanced=True, ge=1, le=1024)
    max_queue: int = option(
        256, "Requests that may wait before new ones are told to come back", advanced=True, ge=1, le=65_536
    )
    threads: int | None = option(None, "CPU threads of the inference engine", advanced=True, ge=1, le=512)

    @field_validator("host")
    @classmethod
    def _is_plain(cls, host: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host):
            raise ValueError(f"host is {host!r}; expected an IP address or host name.")
        return host

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        if self.host not in ("127.0.0.1", "::1", "localhost") and not self.allow_remote:
            raise ValueError(
                f"host {self.host} is reachable from other machines; keep 127.0.0.1, or add allow_remote=True "
                "(--allow-remote) if that is what you want."
            )
        return self
