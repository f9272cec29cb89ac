"""What an endpoint's owner can do with it: versions, trials, keys, usage, logs, code for clients."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lepton_lab.errors import SpecError
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count, table
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.runs.endpoints import Change, EndpointRecord, VersionRecord
    from lepton_lab.session.facade import Session

DAY_SECONDS = 86_400


class Usage(Shown):
    """What each key of an endpoint has asked for."""

    HEAD = ("key", "prefix", "state", "requests", "rows", "compute_seconds")

    def __init__(self, name: str, rows: list[tuple[Any, ...]]) -> None:
        self.name, self.rows = name, rows

    def to_dict(self) -> dict[str, Any]:
        return {"endpoint": self.name, "keys": [dict(zip(self.HEAD, row, strict=True)) for row in self.rows]}

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV, for a bill; also written to a file where one is named."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(self.HEAD)
        writer.writerows(self.rows)
        if path is not None:
            Path(path).expanduser().write_text(text.getvalue(), "utf-8", newline="")
        return text.getvalue()

    def __str__(self) -> str:
        rows = [(*row[:3], count(row[3]), count(row[4]), f"{row[5]:.3f}") for row in self.rows]
        return _(f"Usage of {self.name}") + "\n" + table(self.HEAD, rows)


class Owned:
    """The owner's side of an endpoint; `Endpoint` is one."""

    name: str
    _session: Session

    @property
    def record(self) -> EndpointRecord:
        """What is wanted of the endpoint, read from the store."""
        from lepton_lab.runs.endpoints import load_record

        return load_record(self._session.store, self.name)

    @property
    def versions(self) -> list[VersionRecord]:
        """Every version that was deployed, the oldest first."""
        return list(self.record.versions)

    @property
    def history(self) -> list[Change]:
        """What was done to the endpoint, the oldest first."""
        return list(self.record.history)

    def rollback(self, version: int | None = None) -> Self:
        """Goes back to an earlier version, by default the one before, without a dropped request.

        Raises:
            EndpointError: If there is no such version.
        """
        from lepton_lab.serving.lifecycle import rollback

        rollback(self._session.store, self.name, version)
        return self

    def try_version(self, version: int, *, share: float = 0.0, shadow: bool = False) -> Self:
        """Puts a version on trial: a share of the requests, or a copy of all; with neither the trial ends.

        Raises:
            EndpointError: If there is no such version, or it is the active one.
        """
        from lepton_lab.serving.lifecycle import try_version

        try_version(self._session.store, self.name, version, share=share, shadow=shadow)
        return self

    def usage(self) -> Usage:
        """Requests, rows and compute seconds by key; `usage().to_csv(path)` writes a bill."""
        from lepton_lab.serving.lifecycle import usage_of

        totals, now = usage_of(self._session.store, self.name), time.time()
        rows = []
        for key in self.record.keys:
            used = totals[key.id]
            state = "revoked" if key.revoked is not None else "valid" if key.valid(now) else "expired"
            rows.append((key.id, key.prefix, state, used.requests, used.rows, round(used.compute_seconds, 6)))
        return Usage(self.name, rows)

    def drift(self) -> dict[str, Any]:
        """How what comes in, and what is answered, compares with training; "warning" says it in plain words."""
        from lepton_lab.runs.process import read_identity

        stats = read_identity(self._session.store.endpoint_dir(self.name) / "stats.json") or {}
        found: dict[str, Any] = stats.get("drift") or {"rows": 0, "warning": None}
        return found

    def logs(self, lines: int = 50) -> str:
        """The last lines of the server's log."""
        path = self._session.store.endpoint_dir(self.name) / "server.log"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-max(1, lines) :])

    def new_key(self, *, expires_days: float | None = None, requests_per_minute: int | None = None) -> str:
        """Another API key, shown this once.

        Args:
            expires_days: Days after which it no longer works; None for never.
            requests_per_minute: How often it may ask; None for no limit.
        """
        from lepton_lab.serving.lifecycle import new_key

        if expires_days is not None and not 0 < expires_days <= 36_500:
            raise SpecError(f"expires_days is {expires_days!r}; expected more than 0 and at most 36500.")
        if requests_per_minute is not None and not 1 <= requests_per_minute <= 1_000_000:
            raise SpecError(f"requests_per_minute is {requests_per_minute!r}; expected 1 to 1000000.")
        expires = None if expires_days is None else time.time() + expires_days * DAY_SECONDS
        store = self._session.store
        return new_key(store, self.name, expires=expires, requests_per_minute=requests_per_minute)[1]

    def revoke_key(self, key_id: str) -> Self:
        """Ends a key at once; `usage()` lists them.

        Raises:
            UnknownName: If there is no such key.
        """
        from lepton_lab.serving.lifecycle import revoke_key

        revoke_key(self._session.store, self.name, key_id)
        return self

    def client_code(self, language: str = "python") -> str:
        """Code that asks the endpoint, in python, curl or javascript; it reads the key from the environment."""
        from lepton_lab.serving.clients import client_code

        return client_code(self.record.url(), self.bundle(), language)

    def write_dockerfile(self, folder: str | Path) -> Path:
        """A folder to build an image of this endpoint's active version from."""
        from lepton_lab import __version__
        from lepton_lab.serving.clients import write_dockerfile

        return write_dockerfile(self.bundle(), Path(folder).expanduser(), __version__)

    def bundle(self) -> Any:
        from lepton_lab.serving.bundle import load

        folder = self._session.store.endpoint_dir(self.name)
        return load(folder / "versions" / str(self.record.active_version))
