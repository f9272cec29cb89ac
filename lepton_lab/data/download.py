"""The files of a public dataset: from its official source or from a mirror, resumed after a break, always verified.

A mirror is a folder or URL named by the user (`mirror`, or the environment variable LEPTON_DATA_MIRROR). It holds
the files as `<mirror>/<dataset>/<file>` or `<mirror>/<file>`. A file whose SHA-256 is not the known one is never used.
Where the makers state none, the SHA-256 of the first file that came is recorded, told, and required from then on.
"""

from __future__ import annotations

import base64
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from filelock import FileLock

from lepton_lab.data.material import Progress, Remark
from lepton_lab.data.registry import DatasetInfo, RemoteFile
from lepton_lab.data.storage import HasRoot, folder, make_cache
from lepton_lab.data.trust import Trust
from lepton_lab.errors import DataError, StoreError

MIRROR_VARIABLE = "LEPTON_DATA_MIRROR"
_CHUNK_BYTES = 256 * 1024
_TIMEOUT_SECONDS = 20.0
_ATTEMPTS = 3
MAX_BYTES = 8 * 2**30
"""The most that a file may have whose size nobody states."""


class _NotServed(Exception):
    """An address did not give the file; the text says why."""


def obtain(
    info: DatasetInfo, store: HasRoot, mirror: str | None, progress: Progress, remarks: list[Remark] | None = None
) -> dict[str, Path]:
    """Paths of a dataset's files, verified.

    Args:
        info: The dataset.
        store: Where downloads are kept.
        mirror: A folder or URL; None looks at the environment, then goes to the official source.
        progress: Told the share of all bytes that is there.
        remarks: Gets what a person should know of files whose makers state no hash.

    Raises:
        DataError: When a file cannot be had, or has another content than the official one.
        StoreError: When the disk is full.
    """
    _refuse_password(mirror)
    mirror = mirror or os.environ.get(MIRROR_VARIABLE) or None
    trust = Trust(info, store)
    found = _found(info, store, mirror, trust, progress)
    if remarks is not None:
        remarks += trust.remarks()
    return found


def _found(info: DatasetInfo, store: HasRoot, mirror: str | None, trust: Trust, progress: Progress) -> dict[str, Path]:
    if mirror and "://" not in mirror:
        return _from_folder(info, Path(mirror).expanduser(), trust)
    if mirror and urlsplit(mirror).scheme == "file":
        return _from_folder(info, Path(unquote(urlsplit(mirror).path)), trust)
    if mirror and urlsplit(mirror).scheme not in ("http", "https"):
        raise DataError(f"The mirror {redacted(mirror)!r} is neither a folder nor an http or https address.")
    bases = [f"{mirror.rstrip('/')}/{info.name}", mirror.rstrip("/")] if mirror else list(info.urls)
    return _from_addresses(info, bases, store, trust, progress)


def _refuse_password(mirror: str | None) -> None:
    """A mirror that is given as an option ends in a run's record; a password must not."""
    if mirror and "://" in mirror and urlsplit(mirror).password:
        raise DataError(
            f"The mirror {redacted(mirror)!r} has a password in it, which would be written into records; "
            f"set the environment variable {MIRROR_VARIABLE} instead."
        )


def redacted(url: str) -> str:
    """An address without user name, password and query, fit for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _from_folder(info: DatasetInfo, mirror: Path, trust: Trust) -> dict[str, Path]:
    """The files of a local mirror, used where they lie."""
    found = {}
    for file in info.files:
        places = [mirror / info.name / file.name, mirror / file.name]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise DataError(
                f"The mirror {str(mirror)!r} has no file {file.name}; expected it there or in its folder {info.name!r}."
            )
        if not trust.accepts(path, file):
            raise DataError(
                f"{str(path)!r} is not the {trust.word(file)} {file.name} (its SHA-256 differs); copy it again."
            )
        found[file.name] = path
    return found


def _from_addresses(
    info: DatasetInfo, bases: list[str], store: HasRoot, trust: Trust, progress: Progress
) -> dict[str, Path]:
    home = folder(store, f"downloads-{info.name}")
    try:
        make_cache(store)
        home.mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"The folder {str(home)!r} for downloads cannot be made: {error.strerror}.") from error
    total, before, found = sum(file.num_bytes or 0 for file in info.files), 0, {}
    for file in info.files:
        path = home / file.name
        # Two processes that want the same file: the second waits and finds it there.
        with FileLock(home / f"{file.name}.lock"):
            if not (path.is_file() and trust.accepts(path, file)):
                _download(info, file, bases, path, trust, _Meter(progress, file.name, before, total))
        found[file.name] = path
        before += file.num_bytes or 0
    return found


class _Meter:
    """Turns the bytes of one file into the share of the whole download."""

    def __init__(self, progress: Progress, name: str, before_bytes: int, total_bytes: int) -> None:
        self._progress, self._name, self._before, self._total = progress, name, before_bytes, total_bytes

    def told(self, num_bytes: int, all_bytes: int | None) -> None:
        total = self._total or all_bytes
        share = (self._before + num_bytes) / total if total else None
        self._progress(f"Downloading {self._name}", share)


def _download(info: DatasetInfo, file: RemoteFile, bases: list[str], path: Path, trust: Trust, meter: _Meter) -> None:
    part = path.with_name(path.name + ".part")
    reasons = []
    for url in (f"{base}/{file.path or file.name}" if base in info.urls else f"{base}/{file.name}" for base in bases):
        try:
            _fetch(url, file, part, meter)
        except _NotServed as error:
            reasons.append(f"{redacted(url)}: {error}")
            continue
        if trust.accepts(part, file):
            part.replace(path)
            return
        part.unlink()
        reasons.append(f"{redacted(url)}: the content is not the {trust.word(file)} one (its SHA-256 differs)")
    raise DataError(
        f"{info.title} cannot be downloaded ({'; '.join(reasons)}). Without internet, name a folder or address that "
        f"holds its {len(info.files)} files: mirror=... (--mirror ...), or the environment variable {MIRROR_VARIABLE}."
    )


def _fetch(url: str, file: RemoteFile, part: Path, meter: _Meter) -> None:
    """Brings a file's bytes into `part`, going on where an earlier attempt broke off.

    Raises:
        _NotServed: When the address does not give all bytes.
        StoreError: When they cannot be written.
    """
    goal = _Goal(file.num_bytes)
    for attempt in range(_ATTEMPTS):
        done = part.stat().st_size if part.exists() else 0
        if goal.num_bytes is not None and done == goal.num_bytes:
            return
        if goal.num_bytes is not None and done > goal.num_bytes:
            part.unlink()
            done = 0
        try:
            for piece, restarted in _pieces(url, done, goal):
                done = 0 if restarted else done
                _append(part, piece, restarted)
                done += len(piece)
                meter.told(done, goal.num_bytes)
            if goal.num_bytes is None:
                return  # the server never said how long the file is; it ended it in order
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done and goal.num_bytes is None:
                part.unlink()  # what is there is no beginning of this file
                continue
            raise _NotServed(f"HTTP {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            if attempt == _ATTEMPTS - 1 or (isinstance(error, urllib.error.URLError) and not done):
                reason = getattr(error, "reason", None) or error
                raise _NotServed(str(reason) or type(error).__name__) from None
    if (part.stat().st_size if part.exists() else 0) != goal.num_bytes:
        raise _NotServed("the connection broke off")


class _Goal:
    """How many bytes a file has: stated by its entry, or by the server that sends it."""

    def __init__(self, num_bytes: int | None) -> None:
        self.num_bytes, self._stated = num_bytes, num_bytes is not None

    def learn(self, headers: Message, resumed: bool) -> None:
        """Takes over what an answer's headers say, where the entry says nothing."""
        if self._stated:
            return
        text = headers.get("Content-Range", "").rpartition("/")[2] if resumed else headers.get("Content-Length", "")
        self.num_bytes = int(text) if text.isdigit() else None


def _pieces(url: str, done_bytes: int, goal: _Goal) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file from `done_bytes` on; the flag of the first piece says that the server began anew."""
    with urllib.request.urlopen(_request(url, done_bytes), timeout=_TIMEOUT_SECONDS) as answer:
        resumed = done_bytes > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {done_bytes}-"):
            raise _NotServed("the server resumed at another place than asked")
        goal.learn(answer.headers, resumed)
        most = goal.num_bytes if goal.num_bytes is not None else MAX_BYTES
        left = most - (done_bytes if resumed else 0)
        restarted = not resumed
        while piece := answer.read(_CHUNK_BYTES):
            left -= len(piece)
            if left < 0:
                raise _NotServed(f"the file is larger than the official one ({most:,} bytes)")
            yield piece, restarted
            restarted = False


def _request(url: str, done_bytes: int) -> urllib.request.Request:
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, headers={"User-Agent": "lepton-lab"})
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # Unredirected: another host that an answer points to does not get to see it.
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode("ascii"))
    if done_bytes:
        request.add_header("Range", f"bytes={done_bytes}-")
    return request


def _append(part: Path, piece: bytes, restarted: bool) -> None:
    try:
        with part.open("wb" if restarted else "ab") as out:
            out.write(piece)
    except OSError as error:
        raise StoreError(f"The download cannot be written to {str(part)!r}: {error.strerror}.") from error
