"""Files and folders that lie on other machines: any address that fsspec reads (s3://, sftp://, https://, ...)."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lepton_lab.data import fingerprint
from lepton_lab.data.archives import safe_place
from lepton_lab.data.limits import MAX_MEMBERS, MAX_UNPACKED_BYTES
from lepton_lab.data.material import Progress
from lepton_lab.data.sources.base import slug
from lepton_lab.data.sources.unpacked import BroughtHere
from lepton_lab.data.storage import HasRoot
from lepton_lab.data.trees import keep_tree, only_entry
from lepton_lab.errors import DataError, MissingExtra, SpecError
from lepton_lab.specs import DataSpec

_CHUNK_BYTES = 2**20


class RemoteFiles(BroughtHere):
    """What lies at an address, fetched once for each version of it."""

    def __init__(self, spec: DataSpec) -> None:
        parts = urlsplit(spec.name)
        if parts.username or parts.password:
            raise SpecError(
                "data: the address holds a user name or password, which would end up in notebooks and records. Leave "
                "it out, and give it to fsspec by its configuration or environment variables."
            )
        super().__init__(spec, unquote(Path(parts.path).name or parts.netloc))
        self._found: list[tuple[str, str, int]] | None = None

    @property
    def name(self) -> str:
        return slug(self.title.split(".")[0])

    def identity(self, store: HasRoot) -> str:
        return "remote/" + self._version()

    def _version(self) -> str:
        """Changes when a size, time or tag of any of the files does."""
        return fingerprint.of_values(self.spec.name, [[name, mark] for name, mark, _ in self._files()])

    def _files(self) -> list[tuple[str, str, int]]:
        """Path, version and size of each file."""
        if self._found is None:
            self._found = _guarded(self.spec.name, self._look)
        return self._found

    def _look(self, system: Any, path: str) -> list[tuple[str, str, int]]:
        listed = system.find(path, detail=True) if system.isdir(path) else {path: system.info(path)}
        found = []
        for name, info in sorted(listed.items()):
            stable = {key: str(value) for key, value in sorted(info.items()) if key not in ("atime", "nlink")}
            mark = hashlib.sha256(repr(stable).encode()).hexdigest()
            found.append((name, mark, int(info.get("size") or 0)))
        if not found:
            raise DataError(f"There is nothing at {self.spec.name!r}.")
        if len(found) > MAX_MEMBERS or sum(size for _, _, size in found) > MAX_UNPACKED_BYTES:
            raise DataError(f"{self.spec.name!r} holds more than is fetched; fetch it by hand and load the folder.")
        return found

    def bring(self, store: HasRoot, progress: Progress) -> Path:
        files = self._files()
        total = max(1, sum(size for _, _, size in files))

        def fetch(system: Any, path: str, folder: Path) -> None:
            done = 0
            for name, _, size in files:
                inside = name.removeprefix(path).strip("/") or Path(name).name
                place = safe_place(folder, inside or self.title, f"{self.spec.name!r}")
                place.parent.mkdir(parents=True, exist_ok=True)
                with system.open(name, "rb") as stream, place.open("xb") as out:
                    shutil.copyfileobj(stream, out, _CHUNK_BYTES)
                if size and place.stat().st_size != size:
                    raise DataError(f"{name!r} has {size:,} bytes, and {place.stat().st_size:,} came; try again.")
                done += size
                progress(f"Fetching {self.title}", done / total)

        root = keep_tree(
            store,
            f"remote-{self._version()}",
            lambda folder: _guarded(self.spec.name, lambda system, path: fetch(system, path, folder)),
        )
        return only_entry(root)


def _guarded(address: str, act: Callable[[Any, str], Any]) -> Any:
    """Does something with the file system of an address; whatever it raises becomes one sentence without secrets."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra("fsspec", "remote", "Reading data from another machine") from None
    try:
        return act(*url_to_fs(address))
    except (DataError, SpecError):
        raise
    except ImportError as error:
        raise MissingExtra(getattr(error, "name", None) or "fsspec", "remote", f"Reading {address!r}") from None
    except FileNotFoundError:
        raise DataError(f"There is nothing at {address!r}.") from None
    except Exception as error:  # each protocol has exceptions of its own
        raise DataError(
            f"{address!r} cannot be read ({type(error).__name__}); check the address and your access."
        ) from None
