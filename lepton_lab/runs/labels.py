"""What people write on a run: a title, tags, a note, a pin. Kept beside the events, in `labels.json`.

A run's events have one writer, its worker; labels may be changed by anybody at any time, so they have a file and a
lock of their own. The last changes stand in it too, with who and when.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lepton_lab.errors import RunError, StoreError
from lepton_lab.runs.atomic import read_json, store_error, write_json
from lepton_lab.runs.locks import FileLock

LABELS_FILE, LABELS_LOCK = "labels.json", "labels.lock"
TITLE_LENGTH, TAG_LENGTH, NOTE_LENGTH, MOST_TAGS = 120, 40, 10_000, 32
_MOST_CHANGES = 50
_LOCK_SECONDS = 5.0
_TAG = re.compile(r"[^\s,]+")


@dataclass(frozen=True)
class Labels:
    """What people wrote on a run."""

    title: str | None = None
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False
    """A pinned run is not deleted and loses no checkpoint to `gc`."""
    pinned_checkpoints: list[int] = field(default_factory=list)
    """Steps whose checkpoints stay."""
    trusted_by: str | None = None
    """Who has said that code in a run from elsewhere may be run here, under this store's seal."""
    trusted_seal: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    """The last changes, oldest first: `{"time" (unix), "by", "changed": {label: new value}}`."""


NO_LABELS = Labels()


def read_labels(run_dir: Path) -> Labels:
    """A run's labels; none where there are none, or where the file is broken."""
    path = run_dir / LABELS_FILE
    try:
        if not path.exists():
            return NO_LABELS
        values = dict(read_json(path))
        known = {name: values[name] for name in Labels.__dataclass_fields__ if name in values}
        labels = Labels(**known)
        return replace(labels, tags=[str(tag) for tag in labels.tags], note=str(labels.note))
    except (StoreError, TypeError, ValueError):
        return NO_LABELS


def rename_run(run_dir: Path, title: str | None, *, by: str) -> Labels:
    """Gives a run a title to be shown in place of its name, which stays its address; None takes the title away.

    Raises:
        RunError: If the title is empty, too long, or has line breaks.
        StoreError: If the disk does not take it.
    """
    if title is not None:
        title = title.strip()
        if not title or len(title) > TITLE_LENGTH or not title.isprintable():
            raise RunError(f"The title {title[:40]!r} is not allowed; give one line of 1 to {TITLE_LENGTH} characters.")
    return _change(run_dir, by, lambda labels: {"title": title})


def tag_run(run_dir: Path, add: Iterable[str] = (), remove: Iterable[str] = (), *, by: str) -> Labels:
    """Puts tags on a run and takes others off.

    Raises:
        RunError: If a tag has spaces or commas or is too long, or there are too many.
        StoreError: If the disk does not take it.
    """
    added, removed = [_checked_tag(tag) for tag in add], set(remove)

    def tags(labels: Labels) -> dict[str, Any]:
        kept = [tag for tag in labels.tags if tag not in removed]
        new = list(dict.fromkeys([*kept, *added]))
        if len(new) > MOST_TAGS:
            raise RunError(f"A run can have {MOST_TAGS} tags; this would make {len(new)}. Remove some first.")
        return {"tags": new}

    return _change(run_dir, by, tags)


def note_run(run_dir: Path, note: str, *, by: str) -> Labels:
    """Writes the note of a run, in place of the one before; "" takes it away.

    Raises:
        RunError: If it is too long.
        StoreError: If the disk does not take it.
    """
    if len(note) > NOTE_LENGTH:
        raise RunError(f"The note has {len(note):,} characters; a run's note has {NOTE_LENGTH:,} at most.")
    return _change(run_dir, by, lambda labels: {"note": note})


def pin_run(run_dir: Path, pinned: bool = True, *, by: str) -> Labels:
    """Pins a run, or takes the pin off: a pinned run is not deleted, and none of its checkpoints is thinned out."""
    return _change(run_dir, by, lambda labels: {"pinned": pinned})


def pin_checkpoint(run_dir: Path, step: int, pinned: bool = True, *, by: str) -> Labels:
    """Pins one checkpoint, or takes its pin off.

    Raises:
        RunError: If there is no checkpoint of that step.
        StoreError: If the disk does not take it.
    """
    from lepton_lab.runs.checkpoints import all_steps

    steps = all_steps(run_dir)
    if pinned and step not in steps:
        known = ", ".join(str(each) for each in steps) or "none"
        raise RunError(f"Run {run_dir.name!r} has no checkpoint of step {step}; there are: {known}.")

    def pins(labels: Labels) -> dict[str, Any]:
        others = {each for each in labels.pinned_checkpoints if each != step}
        return {"pinned_checkpoints": sorted(others | ({step} if pinned else set()))}

    return _change(run_dir, by, pins)


def trust(run_dir: Path, seal: str, *, by: str) -> Labels:
    """Notes that the code of a run from elsewhere may be run; the seal says in which store that was said."""
    return _change(run_dir, by, lambda labels: {"trusted_by": by, "trusted_seal": seal})


def _change(run_dir: Path, by: str, change: Callable[[Labels], dict[str, Any]]) -> Labels:
    """Reads, changes and writes the labels under their lock."""
    try:
        with FileLock(run_dir / LABELS_LOCK) as lock:
            if not lock.acquire(_LOCK_SECONDS):
                raise StoreError(f"The labels of run {run_dir.name!r} are being changed by somebody else; try again.")
            labels = read_labels(run_dir)
            changed = change(labels)
            said = {name: value for name, value in changed.items() if name != "trusted_seal"}
            entry = {"time": round(time.time(), 3), "by": by, "changed": said}
            labels = replace(labels, **changed, history=[*labels.history, entry][-_MOST_CHANGES:])
            write_json(run_dir / LABELS_FILE, asdict(labels))
            return labels
    except OSError as error:
        raise store_error(error, run_dir / LABELS_FILE) from error


def _checked_tag(tag: str) -> str:
    tag = tag.strip()
    if not _TAG.fullmatch(tag) or len(tag) > TAG_LENGTH or not tag.isprintable():
        raise RunError(f"The tag {tag[:50]!r} is not allowed; use up to {TAG_LENGTH} characters, no space or comma.")
    return tag
