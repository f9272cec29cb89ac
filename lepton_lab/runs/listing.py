"""All runs of a store at a glance: read once, then looked at again only where a file has changed.

The runs' folders are the truth. A run is read anew unless the times and sizes of its folder, events and labels are
what they were when it was read last, by this process or (`index.py`) by another. Looking has two depths: at a run's
folder alone, whose time changes with whatever the product writes into it, and at its files too, which finds what a
foreign hand has changed in place. The first look of a process is deep; so is every look that takes less than a tenth
of a second (some 10,000 runs); of longer ones only so many that they take a twentieth of the time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from lepton_lab.errors import StoreError
from lepton_lab.runs import snapshot
from lepton_lab.runs.bulk import undisturbed
from lepton_lab.runs.events import EVENTS_FILE
from lepton_lab.runs.index import Index, Row, Stamp
from lepton_lab.runs.labels import LABELS_FILE, NO_LABELS, read_labels
from lepton_lab.runs.paths import Store
from lepton_lab.runs.states import ACTIVE
from lepton_lab.runs.summary import DEFAULTS, RunSummary

_SETTLED_NS = 2_000_000_000
"""A file that was changed this recently may change again and have the same time: it is not believed yet."""
_FREE_SECONDS = 0.1
_RESTS_PER_DEEP_LOOK = 20
_RESTS_PER_LOOK = 5
_WORTH_WRITING = 256
_RUNS_PER_STEP = 500
_MOST_STORES = 2


class Known(NamedTuple):
    """What was read of a run."""

    stamp: Stamp | None
    """None for a run that cannot be read, which is tried again at each look."""
    state: str
    seal: str | None
    """The mark of the store that it was submitted in."""
    values: dict[str, Any]
    """The fields of its summary that are not at their default; not to be changed."""
    is_settled: bool

    @property
    def is_readable(self) -> bool:
        """Whether its record could be read."""
        return self.stamp is not None

    @property
    def is_live(self) -> bool:
        """Whether it is looked at closely every time."""
        return self.state in ACTIVE or not self.is_settled


class Listing:
    """The runs of a store, followed. From any thread.

    Args:
        store: The store.
    """

    _shared: ClassVar[dict[Path, Listing]] = {}
    _sharing = threading.Lock()

    @classmethod
    def of(cls, store: Store) -> Listing:
        """The listing of a store that all of this process share; the last stores asked for keep theirs."""
        with cls._sharing:
            listing = cls._shared.pop(store.root, None) or cls(store)
            cls._shared[store.root] = listing
            while len(cls._shared) > _MOST_STORES:
                del cls._shared[next(iter(cls._shared))]
            return listing

    def __init__(self, store: Store) -> None:
        self._folder = store.runs_dir
        self._index = Index(store.index_db)
        self._lock = threading.RLock()
        self._known: dict[str, Known] = {}
        self._unwritten: set[str] = set()
        self._gone: set[str] = set()
        self._is_new = True
        self._deep_at = self._look_at = 0.0
        self._sweep: Iterator[None] | None = None
        self._names_stamp: tuple[int, int] | None = None

    def look(self, *, roughly: bool = False) -> dict[str, Known]:
        """Each run by name, as it is now.

        Args:
            roughly: Whether, in a very large store, it is enough to see at once what is new, gone or at work, and
                the rest some seconds later.

        Raises:
            StoreError: If the folder of runs cannot be read.
        """
        with self._lock, undisturbed():
            self._sweep = None
            if roughly and time.monotonic() < self._look_at:
                self._look_roughly()
            else:
                for _ in self._look():
                    pass
            return dict(self._known)

    def advance(self, seconds: float) -> dict[str, Known] | None:
        """Goes on with a look for so long; returns each run once it is through, None before."""
        until = time.monotonic() + seconds
        with self._lock:
            self._sweep = self._sweep or self._look()
            for _ in self._sweep:
                if time.monotonic() >= until:
                    return None
            self._sweep = None
            return dict(self._known)

    def _look(self) -> Iterator[None]:
        began = time.monotonic()
        deep = self._is_new or began >= self._deep_at
        if self._is_new:
            yield from self._begin()
        for number, name in enumerate(self._names(), 1):
            known = self._known.get(name)
            if known is None or deep or known.is_live or known.stamp is None or not self._is_folder_same(name, known):
                self._see(name, known)
            if number % _RUNS_PER_STEP == 0:
                yield
        self._is_new = False
        ended = time.monotonic()
        took = ended - began
        if deep:
            self._deep_at = ended + (_RESTS_PER_DEEP_LOOK * took if took > _FREE_SECONDS else 0.0)
        self._look_at = ended + (_RESTS_PER_LOOK * took if took > _FREE_SECONDS else 0.0)
        self._write()

    def _look_roughly(self) -> None:
        stat = os.stat(self._folder)
        stamp = (stat.st_mtime_ns, stat.st_ctime_ns)
        if stamp != self._names_stamp:
            for name in self._names():
                if name not in self._known:
                    self._see(name, None)
            self._names_stamp = stamp if _is_settled(*stamp) else None
        for name, known in list(self._known.items()):
            if known.is_live:
                self._see(name, known)

    def _begin(self) -> Iterator[None]:
        """Takes over what another process has read."""
        for number, row in enumerate(self._index.read(), 1):
            state = row.values.get("state", DEFAULTS["state"])
            self._known[row.run_id] = Known(row.stamp, state, row.seal, row.values, True)
            if number % _RUNS_PER_STEP == 0:
                yield

    def _names(self) -> list[str]:
        names = run_names(self._folder)
        gone = self._known.keys() - set(names)
        for name in gone:
            del self._known[name]
        self._gone |= gone
        self._unwritten -= gone
        return names

    def _is_folder_same(self, name: str, known: Known) -> bool:
        try:
            stat = os.stat(f"{self._folder}/{name}")
        except OSError:
            return False
        return known.stamp is not None and known.stamp[:2] == (stat.st_mtime_ns, stat.st_ctime_ns)

    def _see(self, name: str, known: Known | None) -> None:
        """Reads a run, unless nothing has changed since it was read."""
        stamp = _stamp(f"{self._folder}/{name}", known)
        if known is not None and stamp is not None and stamp == known.stamp and known.is_settled:
            return
        read = read_run(self._folder / name)
        if not read.is_readable and not (self._folder / name).exists():
            self._known.pop(name, None)
            return
        if known is not None and read.values == known.values:
            read = read._replace(values=known.values)  # the same object, for whoever compares by it
        if read.is_readable and stamp is not None:
            read = read._replace(stamp=stamp, is_settled=_is_all_settled(stamp))
        self._known[name] = read
        self._gone.discard(name)
        self._unwritten.add(name)

    def _write(self) -> None:
        """Keeps for other processes what has been read, once there is enough of it."""
        if len(self._unwritten) + len(self._gone) < _WORTH_WRITING:
            return
        rows = []
        for name in self._unwritten:
            known = self._known[name]
            if known.stamp is not None and not known.is_live:
                rows.append(Row(name, known.stamp, known.seal, known.values))
        if len(rows) + len(self._gone) >= _WORTH_WRITING and self._index.write(rows, self._gone):
            self._unwritten -= {row.run_id for row in rows}
            self._gone = set()


def read_run(run_dir: Path) -> Known:
    """A run as its folder tells, the place in the queue left out; the stamp of a readable one is all zeros.

    A folder that cannot be read gives a failed run with reason "unreadable".
    """
    seen = snapshot.glance(run_dir)
    if seen is None:
        try:
            fold = snapshot.load(run_dir).fold
            if fold.seq == 0:
                raise StoreError("it has no events")
        except (OSError, StoreError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            message = f"The folder of run {run_dir.name!r} cannot be read: {said}."
            broken = RunSummary(run_dir.name, name=run_dir.name, state="failed", reason="unreadable", message=message)
            return Known(None, broken.state, None, slim(broken), False)
        seen = slim(fold.summary()), fold.seal
    values, seal = seen
    labels = read_labels(run_dir)
    if labels is not NO_LABELS:
        written = {"title": labels.title, "tags": list(labels.tags), "note": labels.note, "pinned": labels.pinned}
        values |= {name: value for name, value in written.items() if value != DEFAULTS[name]}
    state = values.get("state", DEFAULTS["state"])
    return Known((0, 0, 0, 0, 0, 0, 0, 0), state, seal, values, False)


def slim(summary: RunSummary) -> dict[str, Any]:
    """The fields of a summary that are not at their default, and the run's name."""
    return {name: value for name, value in summary.__dict__.items() if value != DEFAULTS[name] or name == "run_id"}


def whole(values: dict[str, Any], queue_position: int | None = None) -> RunSummary:
    """The summary of such fields; nothing of it is shared but what cannot change."""
    summary = RunSummary.__new__(RunSummary)
    own = summary.__dict__
    own.update(values)  # what is not in it is found at the class: the fields' defaults
    own["tags"], own["sparkline"] = list(values.get("tags", ())), list(values.get("sparkline", ()))
    if "parent" in own:
        own["parent"] = dict(own["parent"])
    if queue_position is not None:
        own["queue_position"] = queue_position
    return summary


def run_names(runs_dir: Path) -> list[str]:
    """The names of all runs in a folder, readable or not, in no order.

    Raises:
        StoreError: If the folder cannot be read.
    """
    try:
        with os.scandir(runs_dir) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"The runs in {runs_dir} cannot be read: {error.strerror}.") from error


def _stamp(folder: str, known: Known | None) -> Stamp | None:
    """The times and sizes of a run's folder, events and labels; None where they cannot be asked for.

    Labels that were not there before are only looked for where the folder's time has changed.
    """
    try:
        top = os.stat(folder)
        events = os.stat(f"{folder}/{EVENTS_FILE}")
    except OSError:
        return None
    times = (top.st_mtime_ns, top.st_ctime_ns)
    found = (*times, events.st_mtime_ns, events.st_ctime_ns, events.st_size)
    if known is not None and known.stamp is not None and known.stamp[:2] == times and known.stamp[6] == 0:
        return (*found, 0, 0, 0)
    try:
        labels = os.stat(f"{folder}/{LABELS_FILE}")
    except OSError:
        return (*found, 0, 0, 0)
    return (*found, labels.st_mtime_ns, labels.st_ctime_ns, labels.st_size)


def _is_settled(*times: int) -> bool:
    return max(times) < time.time_ns() - _SETTLED_NS


def _is_all_settled(stamp: Stamp | None) -> bool:
    return stamp is not None and _is_settled(stamp[1], stamp[3], stamp[6])
