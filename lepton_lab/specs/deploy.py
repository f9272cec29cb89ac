"""Where and how an endpoint answers."""

from __future__ import annotations

import re
from typing import Self

from pydantic import field_validator, model_validator

from lepton_lab.specs.base import ClusterAddress, Fraction, Name, Spec, option


class DeploySpec(Spec):
    """Where and how an endpoint answers."""

    name: Name = option("default", "The endpoint's name; deploying again under it replaces the version")
    variant: str | None = option(
        None, "A variant that compress has made, or chosen (default: the network as it was trained)"
    )
    host: str = option("127.0.0.1", "Address to listen on; anything but loopback needs allow_remote", advanced=True)
    port: int = option(0, "Port (0: a free one, kept for this name)", advanced=True, ge=0, le=65_535)
    allow_remote: bool = option(False, "Accept connections from other machines without TLS", advanced=True)
    tls: bool = option(
        False, "Answer over TLS; without files of your own a certificate is made for trials", advanced=True
    )
    tls_certificate: str | None = option(None, "PEM file with the certificate chain", advanced=True)
    tls_key: str | None = option(None, "PEM file with the certificate's key", advanced=True)
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
    processes: int | None = option(
        None,
        "Processes that answer side by side (default: one for every two cores, two for a small network on two cores)",
        advanced=True,
        ge=1,
        le=64,
    )

    cluster: ClusterAddress | None = option(
        None,
        "Run the network on a Ray cluster: auto, or HOST:PORT of its head (default: on this machine)",
        advanced=True,
    )
    replicas: int = option(1, "Fewest copies of the network on the cluster", advanced=True, ge=1, le=1024)
    max_replicas: int | None = option(
        None, "Most copies, when there is much to do (default: as many as replicas)", advanced=True, ge=1, le=1024
    )
    replica_cpus: float = option(1.0, "Cores that the cluster sets aside for each copy", advanced=True, gt=0, le=1024)

    @model_validator(mode="after")
    def _replicas_fit(self) -> Self:
        if self.cluster is None and (self.replicas > 1 or self.max_replicas is not None):
            raise ValueError("replicas and max_replicas are for a cluster; add cluster=auto, or use processes.")
        if self.cluster is not None and (self.processes or 1) > 1:
            raise ValueError("On a cluster the copies of the network do the work; use replicas instead of processes.")
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas is {self.max_replicas}, below replicas ({self.replicas}).")
        return self

    @field_validator("host")
    @classmethod
    def _is_plain(cls, host: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host):
            raise ValueError(f"host is {host!r}; expected an IP address or host name.")
        return host

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None) or (self.tls_key and not self.tls):
            raise ValueError("tls_certificate and tls_key go together, and with tls=True (--tls).")
        if self.host not in ("127.0.0.1", "::1", "localhost") and not (self.allow_remote or self.tls):
            raise ValueError(
                f"host {self.host} is reachable from other machines; keep 127.0.0.1, add tls=True (--tls), or "
                "allow_remote=True (--allow-remote) if unencrypted is what you want."
            )
        return self
