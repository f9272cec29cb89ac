"""Folders of files in the cache: unpacked archives and what was fetched from afar; there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from lepton_lab.data.storage import HasRoot, evict, folder, make_cache, touch
from lepton_lab.errors import StoreError

_DONE = ".whole"


def keep_tree(store: HasRoot, name: str, fill: Callable[[Path], None]) -> Path:
    """The folder of this name in the cache; made by `fill` the first time.

    When `fill` raises, nothing is left behind. When another process was faster, its folder stays.

    Raises:
        StoreError: When the disk is full or the folder cannot be written.
    """
    final = folder(store, name)
    if (final / _DONE).is_file():
        touch(final)
        return final
    temporary = final.parent / f".building-{name}-{uuid4().hex[:8]}"
    try:
        make_cache(store)
        temporary.mkdir(mode=0o700)
        fill(temporary)
        (temporary / _DONE).touch(mode=0o600)
        os.sync()  # one call for what may be a hundred thousand files
        if final.exists() and not (final / _DONE).is_file():
            shutil.rmtree(final)
        try:
            temporary.rename(final)
        except OSError:
            if not (final / _DONE).is_file():
                raise
        evict(store, final)
    except OSError as error:
        raise StoreError(f"The files cannot be written to {final.parent}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def only_entry(path: Path) -> Path:
    """The folder or file inside that everything lies in: archives often hold one folder and nothing else."""
    while path.is_dir():
        entries = [entry for entry in path.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
        if len(entries) != 1:
            return path
        path = entries[0]
    return path
