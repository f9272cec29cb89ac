"""Checkpoints as folders of bytes: a new folder each, a manifest with SHA-256, renamed into place last.

`checkpoints/<step, 10 digits>/` holds the worker's files and `manifest.json`. The last two, the best and the
pinned ones are kept, and some of the older ones, evenly spread.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs.atomic import DISK, Disk, read_json, store_error, sync_directory, sync_file, write_json
from lepton_lab.runs.labels import read_labels

MANIFEST = "manifest.json"
_STEP = re.compile(r"(?:\.old-)?(\d{10})")
KEEP = 2
"""Checkpoints that stay whatever happens, the newest ones; if one is damaged, the other is there."""


@contextmanager
def new_checkpoint(
    run_dir: Path, step: int, *, is_best: bool = False, keep: int = KEEP, disk: Disk = DISK
) -> Iterator[Path]:
    """A folder to write a checkpoint's files into; it becomes the checkpoint when the block ends without an error.

    Args:
        run_dir: The run's folder.
        step: Steps taken so far.
        is_best: Whether these are the best weights so far; the newest best one is kept for good.
        keep: How many to keep besides the best and the pinned ones, at least 2; the older ones evenly spread.
        disk: The system calls.

    Raises:
        StoreError: If the disk did not take it; the checkpoints that were there still are.
    """
    folder = run_dir / "checkpoints"
    temporary = folder / f".new-{step:010d}-{secrets.token_hex(4)}"
    try:
        try:
            _make_folder(folder, disk)
            temporary.mkdir(mode=0o700)
            yield temporary
            _seal(temporary, step, is_best, disk)
            _put_in_place(temporary, folder / f"{step:010d}", disk)
        except OSError as error:
            raise store_error(error, folder / f"{step:010d}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _prune(folder, keep)


def latest_checkpoint(run_dir: Path, on_broken: Callable[[int, str], None] | None = None) -> tuple[int, Path] | None:
    """The newest checkpoint whose bytes are what they were, as its step and folder.

    Args:
        run_dir: The run's folder.
        on_broken: Called with the step and a sentence for each newer checkpoint that is not.
    """
    for step, path in reversed(_all(run_dir)):
        problem = verify(path)
        if problem is None:
            return step, path
        if on_broken is not None:
            on_broken(step, problem)
    return None


def best_checkpoint(run_dir: Path) -> tuple[int, Path] | None:
    """The newest checkpoint with the best weights, verified; as its step and folder."""
    for step, path in reversed(_all(run_dir)):
        if _is_best(path) and verify(path) is None:
            return step, path
    return None


def all_steps(run_dir: Path) -> list[int]:
    """The steps of all checkpoints, not verified, oldest first."""
    return [step for step, _ in _all(run_dir)]


def checkpoint_at(run_dir: Path, step: int) -> Path:
    """The folder of the checkpoint of one step, verified.

    Raises:
        RunError: If there is none of that step, or it is damaged; says which there are.
    """
    found = dict(_all(run_dir))
    if step not in found:
        known = ", ".join(str(each) for each in found) or "none"
        raise RunError(f"Run {run_dir.name!r} has no checkpoint of step {step}; there are: {known}.")
    problem = verify(found[step])
    if problem is not None:
        raise RunError(f"{problem} Choose another one.")
    return found[step]


def superfluous(run_dir: Path, keep: int = KEEP, pinned: Collection[int] = ()) -> list[Path]:
    """The checkpoints that thinning would remove: all but the best, the pinned, the last and some spread evenly.

    Args:
        run_dir: The run's folder.
        keep: How many stay besides the best and the pinned ones.
        pinned: Steps whose checkpoints stay.
    """
    found = _all(run_dir)
    best = [step for step, path in found if _is_best(path)][-1:]
    staying = {*thin([step for step, _ in found], keep), *best, *pinned}
    return [path for step, path in found if step not in staying]


def thin(steps: Sequence[int], keep: int) -> list[int]:
    """Drops steps until so many are left, each time the one whose neighbours are closest; never the newest ones.

    Args:
        steps: In order.
        keep: How many to leave.
    """
    left = list(steps)
    while len(left) > max(keep, 1):
        newest = min(KEEP, keep)
        candidates = range(len(left) - newest)
        drop = min(candidates, key=lambda i: (left[i + 1] - (left[i - 1] if i else 0), i))
        del left[drop]
    return left


def newest_step(run_dir: Path) -> int:
    """The step of the newest checkpoint, not verified; 0 where there is none."""
    found = _all(run_dir)
    return found[-1][0] if found else 0


def checkpoint_bytes(path: Path) -> int:
    """The size of a checkpoint's files.

    Raises:
        StoreError: If it has no readable manifest.
    """
    return sum(int(entry["bytes"]) for entry in _manifest(path)["files"].values())


def verify(path: Path) -> str | None:
    """What is wrong with a checkpoint, in one sentence, or None."""
    try:
        for name, entry in _manifest(path)["files"].items():
            size = (path / name).stat().st_size
            if size != entry["bytes"]:
                return f"Checkpoint {path.name} is damaged: {name} has {size} bytes instead of {entry['bytes']}."
            if _sha256(path / name) != entry["sha256"]:
                return f"Checkpoint {path.name} is damaged: the bytes of {name} have changed."
    except (StoreError, OSError) as error:
        return f"Checkpoint {path.name} cannot be read: {error}"
    return None


def _seal(folder: Path, step: int, is_best: bool, disk: Disk) -> None:
    """Writes the manifest and makes all files, and then their names, durable."""
    files = {}
    paths = sorted(folder.iterdir())
    for path in paths:
        os.chmod(path, 0o600)
        files[path.name] = {"sha256": _sha256(path), "bytes": path.stat().st_size}
    manifest = {"step": step, "is_best": is_best, "files": files}
    write_json(folder / MANIFEST, {**manifest, "sha256": _digest(manifest)}, durable=False, disk=disk)
    # Side by side: the file system writes its journal once for all of them instead of once for each.
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda path: sync_file(path, disk), [*paths, folder / MANIFEST]))
    sync_directory(folder, disk)


def _manifest(path: Path) -> dict[str, Any]:
    """A checkpoint's manifest.

    Raises:
        StoreError: If it cannot be read, or is not what was written for this step.
    """
    try:
        manifest = dict(read_json(path / MANIFEST))
        is_whole = manifest.pop("sha256") == _digest(manifest) and manifest["step"] == _step(path)
    except (KeyError, TypeError, ValueError):
        is_whole = False
    if not is_whole:
        raise StoreError(f"{MANIFEST} has changed.")
    return manifest


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _make_folder(folder: Path, disk: Disk) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        sync_directory(folder.parent, disk)


def _put_in_place(temporary: Path, target: Path, disk: Disk) -> None:
    old = target.with_name(f".old-{target.name}")
    if target.exists():
        # The same step again, after a restart: until the new one has its name, the old one counts.
        shutil.rmtree(old, ignore_errors=True)
        disk.rename(target, old)
    disk.rename(temporary, target)
    sync_directory(target.parent, disk)
    shutil.rmtree(old, ignore_errors=True)


def _prune(folder: Path, keep: int) -> None:
    """Thins out the older ones; tidies up what a killed worker left, for there is one at a time."""
    for old in folder.glob(".old-*"):
        plain = folder / old.name.removeprefix(".old-")
        if not plain.exists():
            old.rename(plain)
    outdated = superfluous(folder.parent, keep, read_labels(folder.parent).pinned_checkpoints)
    for path in [*outdated, *folder.glob(".new-*"), *folder.glob(".old-*")]:
        shutil.rmtree(path, ignore_errors=True)


def _all(run_dir: Path) -> list[tuple[int, Path]]:
    """Checkpoints by step; one that was being replaced stands in where its successor is missing."""
    try:
        paths = list((run_dir / "checkpoints").iterdir())
    except OSError:
        return []
    found: dict[int, Path] = {}
    for path in sorted(paths):  # ".old-..." sorts before the plain name, which wins
        step = _step(path)
        if step is not None:
            found[step] = path
    return sorted(found.items())


def _step(path: Path) -> int | None:
    match = _STEP.fullmatch(path.name)
    return int(match[1]) if match else None


def _is_best(path: Path) -> bool:
    try:
        return bool(_manifest(path)["is_best"])
    except StoreError:
        return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
