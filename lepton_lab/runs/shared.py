"""Storage that every host of a cluster reaches: a shared folder, an S3-compatible store, or what else fsspec knows.

`LEPTON_SHARED_STORAGE` names it (`file:///mnt/shared/lepton`, `s3://bucket/lepton`). Who may use it is for the
storage's own settings to say (`AWS_ACCESS_KEY_ID`, `~/.aws/credentials`, a role of the host), never for the address,
which stands in records and messages.
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from lepton_lab.errors import MissingExtra, RunError
from lepton_lab.runs.atomic import write_bytes

VARIABLE = "LEPTON_SHARED_STORAGE"
_FILE_SYSTEMS = {"file", "local", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs"}
"""Where a file that is being written can be seen half; an object store shows an object whole or not at all."""
_EXTRAS = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}


class SharedStorage:
    """Objects by name below one address; each is there whole or not at all.

    Args:
        url: As fsspec understands it.

    Raises:
        RunError: The address holds a password.
    """

    def __init__(self, url: str) -> None:
        if urllib.parse.urlsplit(url).password is not None:
            raise RunError(
                f"{VARIABLE} holds a password, which would stand in records and logs. Leave it out of the address, and "
                "give it where the storage's own settings have it (AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, "
                "FSSPEC_...)."
            )
        self.url = url.rstrip("/")

    @classmethod
    def set_by_user(cls) -> SharedStorage | None:
        """The storage that `LEPTON_SHARED_STORAGE` names, if any."""
        url = os.environ.get(VARIABLE)
        return cls(url) if url else None

    def put(self, name: str, content: bytes) -> None:
        """Puts an object in place, whole.

        Raises:
            RunError: The storage does not take it.
        """
        with self._told("written"):
            fs, root = self._open()
            path = f"{root}/{name}"
            if _kind(fs) in ("file", "local"):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_bytes(Path(path), content)
            elif _kind(fs) in _FILE_SYSTEMS:
                fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                half = f"{path}.{uuid4().hex[:8]}"
                fs.pipe_file(half, content)
                fs.mv(half, path)
            else:
                fs.pipe_file(path, content)

    def get(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none.

        Raises:
            RunError: The storage cannot be read.
        """
        with self._told("read"):
            fs, root = self._open()
            try:
                return bytes(fs.cat_file(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def sizes(self, below: str) -> dict[str, int]:
        """The objects below a name, by the rest of their names, with their sizes in bytes.

        Raises:
            RunError: The storage cannot be read.
        """
        with self._told("read"):
            fs, root = self._open()
            start = f"{root}/{below}/"
            try:
                found = fs.find(start.rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
            return {
                str(path).removeprefix(start): int(about["size"] or 0)
                for path, about in found.items()
                if str(path).startswith(start)
            }

    def folders(self, below: str) -> list[str]:
        """The names one level below a name that have others below them.

        Raises:
            RunError: The storage cannot be read.
        """
        with self._told("read"):
            fs, root = self._open()
            try:
                found = fs.ls(f"{root}/{below}", detail=True)
            except FileNotFoundError:
                return []
            return sorted(
                str(each["name"]).rstrip("/").rpartition("/")[2] for each in found if each["type"] == "directory"
            )

    def remove(self, name: str) -> None:
        """Takes an object away, or all below a name; that it is not there is no error.

        Raises:
            RunError: The storage does not let it go.
        """
        with self._told("written"):
            fs, root = self._open()
            try:
                fs.rm(f"{root}/{name}", recursive=True)
            except FileNotFoundError:
                return

    def __repr__(self) -> str:
        return f"SharedStorage({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedStorage) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def _open(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingExtra("fsspec", "remote", "Shared storage") from None
        # Other hosts write there, too: what was listed a moment ago says nothing.
        fs, root = url_to_fs(self.url, use_listings_cache=False)
        return fs, str(root).rstrip("/")

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """A storage's errors, of no common base, in a sentence; nothing of what led to them goes along."""
        try:
            yield
        except (RunError, MissingExtra):
            raise
        except ImportError:
            scheme = urllib.parse.urlsplit(self.url).scheme
            raise MissingExtra(*_EXTRAS.get(scheme, ("fsspec", "remote")), f"Shared storage at {scheme}://") from None
        except Exception as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise RunError(
                f"The shared storage {self.url!r} cannot be {what} from this host ({_without_secrets(said[0])[:300]}). "
                f"Every host must reach it, and may need its credentials; correct {VARIABLE} or these."
            ) from None


def _kind(fs: Any) -> str:
    protocol = fs.protocol
    return str(protocol if isinstance(protocol, str) else protocol[0])


def _without_secrets(text: str) -> str:
    """A message without what the environment keeps secret."""
    for name, value in os.environ.items():
        if len(value) > 5 and any(word in name.upper() for word in ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")):
            text = text.replace(value, "***")
    return text
