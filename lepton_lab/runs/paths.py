"""Where everything lies in a run store; the only place that knows the layout.

```
<root>/
  store.json           the store's secret seal, made once
  runs/<run-id>/       one folder a run (see record.py)
  endpoints/<name>/    one folder an endpoint
  studies/<name>/      one folder a study
  cache/<fingerprint>/ one folder a prepared dataset
  queue.db             order, device slots, leases
  index.db             cache of the runs' summaries (see index.py)
  supervisor/          lock, wake-up pipe, process record and log of the supervisor
```
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.errors import SpecError, StoreError
from lepton_lab.runs.atomic import read_json, write_json

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_name(kind: str, name: str) -> str:
    """The name itself, if it is safe as a folder's name.

    Raises:
        SpecError: If it is empty, longer than 64 characters or has others than letters, digits, `_` and `-`.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpecError(f"{kind} name {name!r} is not allowed; use 1 to 64 letters, digits, '_' or '-'.")
    return name


def user_data_dir() -> Path:
    """The folder that the platform keeps a user's data in."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


@dataclass(frozen=True)
class Store:
    """A run store, by its root folder. A value: two stores with one root are the same store."""

    root: Path

    def __init__(self, root: str | Path) -> None:
        object.__setattr__(self, "root", Path(root).expanduser().absolute())

    @classmethod
    def default(cls) -> Store:
        """The store named by `LEPTON_HOME`, else the user's own."""
        return cls(os.environ.get("LEPTON_HOME") or user_data_dir() / "lepton")

    def prepare(self) -> Store:
        """Makes the folders that are missing, closed to other users."""
        for folder in (self.root, self.runs_dir, self.endpoints_dir, self.caches_dir, self.supervisor_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    @property
    def runs_dir(self) -> Path:
        """The folder of the runs' folders."""
        return self.root / "runs"

    @property
    def endpoints_dir(self) -> Path:
        """The folder of the endpoints' folders."""
        return self.root / "endpoints"

    @property
    def studies_dir(self) -> Path:
        """The folder of the studies' folders; made with the first study."""
        return self.root / "studies"

    @property
    def caches_dir(self) -> Path:
        """The folder of the prepared datasets."""
        return self.root / "cache"

    @property
    def supervisor_dir(self) -> Path:
        """The folder of what belongs to the supervisor."""
        return self.root / "supervisor"

    @property
    def queue_db(self) -> Path:
        """The SQLite file of the queue."""
        return self.root / "queue.db"

    @property
    def index_db(self) -> Path:
        """The SQLite file of the runs' summaries; a cache."""
        return self.root / "index.db"

    @property
    def supervisor_json(self) -> Path:
        """Which process supervises: pid, start time, whether it keeps a spare."""
        return self.supervisor_dir / "process.json"

    @property
    def supervisor_lock(self) -> Path:
        """The file whose lock makes a process the supervisor."""
        return self.supervisor_dir / "lock"

    @property
    def supervisor_pipe(self) -> Path:
        """The named pipe that wakes the supervisor."""
        return self.supervisor_dir / "wake"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor says."""
        return self.supervisor_dir / "supervisor.log"

    def run_dir(self, run_id: str) -> Path:
        """The folder of a run, whether it exists or not."""
        return self._inside(self.runs_dir, check_name("run", run_id))

    def endpoint_dir(self, name: str) -> Path:
        """The folder of an endpoint, whether it exists or not."""
        return self._inside(self.endpoints_dir, check_name("endpoint", name))

    def cache_dir(self, fingerprint: str) -> Path:
        """The folder of a prepared dataset, whether it exists or not."""
        return self._inside(self.caches_dir, check_name("cache", fingerprint))

    @classmethod
    def of_run(cls, run_dir: Path) -> Store:
        """The store that a run's folder lies in."""
        return cls(run_dir.absolute().parent.parent)

    @property
    def id(self) -> str:
        """A short public name of this store: 16 hexadecimal digits."""
        return hashlib.sha256(self._secret()).hexdigest()[:16]

    def seal(self, run_id: str) -> str:
        """A mark that only this store can make: tells a run that was queued here from a folder that was copied in."""
        return hmac.new(self._secret(), run_id.encode(), "sha256").hexdigest()[:32]

    def is_sealed(self, run_id: str, mark: object) -> bool:
        """Whether the mark was made by this store for this run."""
        return isinstance(mark, str) and hmac.compare_digest(mark.encode(), self.seal(run_id).encode())

    def _secret(self) -> bytes:
        path = self.root / "store.json"
        if not path.exists():
            self.prepare()
            write_json(path, {"format": 1, "secret": secrets.token_hex(32)}, replace=False)
        try:
            return bytes.fromhex(read_json(path)["secret"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"store.json in {self.root} is broken; remove it, and a new one is made.") from error

    @staticmethod
    def _inside(folder: Path, name: str) -> Path:
        path = folder / name
        if not path.is_relative_to(folder):
            raise SpecError(f"{name!r} leads out of the store; use a plain name.")
        return path
