"""Files that are written whole or not at all: temp file, fsync, rename, fsync of the folder.

`Disk` is the seam: every call that can fail or lie goes through it, so that tests inject a full or broken disk.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from lepton_lab.errors import StoreError

FULL = {errno.ENOSPC, errno.EDQUOT}


class Disk:
    """The system calls that make data durable."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Writes some of the bytes; returns how many."""
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        """Waits until the file's bytes are on the medium."""
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # plain fsync leaves the bytes in the drive's own cache there
        else:
            os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Gives a file or folder its final name."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """Gives a file a second name, which must be free."""
        os.link(source, target)


DISK = Disk()


def store_error(error: OSError, path: Path) -> StoreError:
    """A failed write in a sentence, with the reason's name ("disk_full" or "unwritable")."""
    if error.errno in FULL:
        return StoreError(
            f"The disk is full: {path.name} could not be written to {path.parent}. Free some space and try again.",
            reason="disk_full",
        )
    said = error.strerror or type(error).__name__
    return StoreError(f"{path.name} could not be written to {path.parent}: {said}.", reason="unwritable")


def write_all(fd: int, data: bytes, disk: Disk = DISK) -> None:
    """Writes every byte, however few the system takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]


def sync_directory(folder: Path, disk: Disk = DISK) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path, disk: Disk = DISK) -> None:
    """Makes a file's bytes durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        disk.fsync(fd)
    finally:
        os.close(fd)


def write_bytes(path: Path, data: bytes, *, durable: bool = True, replace: bool = True, disk: Disk = DISK) -> None:
    """Writes a file whole or not at all, readable by its owner alone.

    Args:
        path: The file; its folder must exist.
        data: All of its bytes.
        durable: Whether to wait for the medium. A cache may be lost in a power cut, but is never seen half written.
        replace: Whether a file of that name gives way; if not, the one that is there stays.
        disk: The system calls.

    Raises:
        StoreError: If the file cannot be written; the old one, if any, is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _write_new(temporary, data, durable, disk)
        if replace:
            disk.rename(temporary, path)
        else:
            _link_if_free(temporary, path, disk)
        if durable:
            sync_directory(path.parent, disk)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise store_error(error, path) from error


def _write_new(path: Path, data: bytes, durable: bool, disk: Disk) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data, disk)
        if durable:
            disk.fsync(fd)
    finally:
        os.close(fd)


def _link_if_free(temporary: Path, path: Path, disk: Disk) -> None:
    try:
        disk.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any, *, durable: bool = True, replace: bool = True, disk: Disk = DISK) -> None:
    """Writes a value as JSON, whole or not at all; see `write_bytes`."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_bytes(path, text.encode(), durable=durable, replace=replace, disk=disk)


def read_json(path: Path) -> Any:
    """The value that a JSON file holds.

    Raises:
        StoreError: If the file is missing, cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise StoreError(f"{path.name} in {path.parent} cannot be read: {said}.", reason="unreadable") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path.name} in {path.parent} is not JSON: {error}.", reason="unreadable") from error
