"""Folders that appear whole or not at all.

`publish_folder` is the one way a bundle, or an endpoint's version, comes into being: every file is written and
synced in a hidden neighbour, which is then renamed into place.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from lepton_lab.runs.atomic import DISK, Disk, store_error, sync_directory, write_bytes


def publish_folder(target: Path, files: Mapping[str, bytes], *, disk: Disk = DISK) -> None:
    """Writes a folder of files atomically; a folder that was there before is replaced.

    Args:
        target: The folder; its parent is made where it is missing (mode 0700).
        files: Content by plain file name.
        disk: The system calls.

    Raises:
        StoreError: If the folder cannot be written (full disk, permissions); the old one, if any, is untouched.
    """
    token = secrets.token_hex(6)
    fresh, old = (target.parent / f".{target.name}.{token}.{kind}" for kind in ("new", "old"))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.mkdir(mode=0o700)
        for name, content in files.items():
            write_bytes(fresh / name, content, disk=disk)
        sync_directory(fresh, disk)
        if target.exists():
            disk.rename(target, old)
        disk.rename(fresh, target)
        sync_directory(target.parent, disk)
    except OSError as error:
        raise store_error(error, target) from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
