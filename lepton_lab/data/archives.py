"""Zip and tar archives, unpacked member by member: no links, no way out of the folder, no more than was announced.

Rules: CVE-2024-5187, CVE-2025-12060 and their like. Sizes are held against limits before a member is unpacked, and
again while it is.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from lepton_lab.data.limits import MAX_MEMBERS, check_unpacked
from lepton_lab.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_CHUNK_BYTES = 2**20
_MAX_HEADER_BYTES = 2**20
_MAX_NAME, _MAX_DEPTH = 255, 40

Told = Callable[[float | None], None]
"""Told which share of the archive is done."""


def is_archive(path: Path) -> bool:
    """Whether a file's name is one of an archive."""
    return path.name.lower().endswith(SUFFIXES)


def archive_of(path: Path) -> tuple[Path, str] | None:
    """The archive that a path names or leads into, and the path inside of it."""
    for place in (path, *path.parents):
        if is_archive(place) and place.is_file():
            inside = path.relative_to(place).as_posix()
            return place.resolve(), "" if inside == "." else inside
    return None


def unpack(archive: Path, folder: Path, told: Told) -> None:
    """Unpacks an archive into an empty folder.

    Raises:
        DataError: Names the archive and the member that is refused or damaged; what was unpacked until then stays
            in the folder, which its owner throws away.
        OSError: When the folder cannot be written.
    """
    try:
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, folder, told)
        else:
            _untar(archive, folder, told)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.name!r} is damaged ({str(error)[:150]}); get it again.") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise  # the folder, not the archive
        raise DataError(f"{archive.name!r} is damaged (it points outside of itself); get it again.") from None
    except (ValueError, IndexError, KeyError, UnicodeError, NotImplementedError, RuntimeError, OverflowError) as error:
        # What a mutated archive raises out of the readers; a password is a RuntimeError too.
        raise DataError(f"{archive.name!r} cannot be unpacked ({str(error)[:150]}).") from None


def safe_place(folder: Path, name: str, where: str) -> Path:
    """The place of a member in a folder.

    Raises:
        DataError: When the name is absolute, leads out of the folder, or is no name that every system takes.
    """
    parts = PurePosixPath(name).parts
    strange = "\\" in name or "\0" in name or name.startswith("/") or ".." in parts or ":" in (parts or ("",))[0]
    if strange or not parts or len(parts) > _MAX_DEPTH or any(len(part.encode()) > _MAX_NAME for part in parts):
        raise DataError(f"{where} has the name {name[:80]!r}, which is refused: it may lead out of the folder.")
    place = folder.joinpath(*parts)
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{where} has the name {name[:80]!r}, which leads out of the folder.")
    return place


class _Quota:
    """What one archive may still unpack."""

    def __init__(self, archive: Path) -> None:
        self._name, self._packed = archive.name, archive.stat().st_size
        self._unpacked, self._members = 0, 0
        self._places: set[str] = set()

    def enter(self, folder: Path, name: str, num_bytes: int) -> Path:
        """Counts a member in, by what it announces."""
        self._members += 1
        where = f"{self._name!r}, member {self._members:,}"
        if self._members > MAX_MEMBERS:
            raise DataError(f"{self._name!r} has more than {MAX_MEMBERS:,} members; unpack it by hand.")
        place = safe_place(folder, name, where)
        if str(place) in self._places:
            raise DataError(f"{where}, {name[:80]!r}, is there twice.")
        self._places.add(str(place))
        check_unpacked(self._packed, self._unpacked + num_bytes, f"{self._name!r}")
        self._unpacked += num_bytes
        return place


def _unzip(archive: Path, folder: Path, told: Told) -> None:
    quota = _Quota(archive)
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        places = []
        for member in members:  # all of them before the first byte is written
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{archive.name!r}: {member.filename!r} is a link or a device, which is refused.")
            check_unpacked(member.compress_size, member.file_size, f"{archive.name!r}: {member.filename[:80]!r}")
            places.append(quota.enter(folder, member.filename, member.file_size))
        for number, (member, place) in enumerate(zip(members, places, strict=True)):
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            with packed.open(member) as stream:
                _write(stream, place, member.file_size, f"{archive.name!r}: {member.filename!r}")
            told((number + 1) / len(members))


class _Member(tarfile.TarInfo):
    """A tar header whose own extensions may not be larger than any real one."""

    def _proc_pax(self, archive: Any) -> Any:
        return self._small()._super("_proc_pax", archive)

    def _proc_gnulong(self, archive: Any) -> Any:
        return self._small()._super("_proc_gnulong", archive)

    def _small(self) -> _Member:
        if self.size > _MAX_HEADER_BYTES:
            raise tarfile.HeaderError(f"a header of {self.size:,} bytes")
        return self

    def _super(self, name: str, archive: Any) -> Any:
        return getattr(tarfile.TarInfo, name)(self, archive)


def _untar(archive: Path, folder: Path, told: Told) -> None:
    quota, size = _Quota(archive), max(1, archive.stat().st_size)
    with (
        archive.open("rb") as raw,
        _unpacked(raw) as plain,
        tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member, errorlevel=2) as packed,
    ):
        for member in packed:
            if member.isdir():
                quota.enter(folder, member.name + "/", 0).mkdir(parents=True, exist_ok=True)
                continue
            if not member.isreg() or member.issparse():
                raise DataError(f"{archive.name!r}: {member.name!r} is a link or a device, which is refused.")
            place = quota.enter(folder, member.name, member.size)
            stream = packed.extractfile(member)
            if stream is None:
                raise DataError(f"{archive.name!r}: {member.name!r} has no content.")
            _write(stream, place, member.size, f"{archive.name!r}: {member.name!r}")
            told(min(1.0, raw.tell() / size))


@contextmanager
def _unpacked(raw: IO[bytes]) -> Iterator[Any]:
    """The tar inside its packing, told by its first bytes."""
    start = raw.read(6)
    raw.seek(0)
    readers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
    reader = next((reader for mark, reader in readers.items() if start.startswith(mark)), None)
    if reader is None:
        yield raw
        return
    with reader(raw) as plain:
        yield plain


def _write(stream: IO[bytes], place: Path, num_bytes: int, where: str) -> None:
    """Writes a member; exactly as much as it announced, or it is damaged."""
    place.parent.mkdir(parents=True, exist_ok=True)
    there = 0
    with place.open("xb") as out:
        while chunk := stream.read(_CHUNK_BYTES):
            there += len(chunk)
            if there > num_bytes:
                break
            out.write(chunk)
    if there != num_bytes:
        raise DataError(f"{where} has not the {num_bytes:,} bytes that it announces; get the archive again.")
