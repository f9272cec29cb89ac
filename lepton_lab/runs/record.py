"""Runs as their folders on disk: made, read, listed, handed to the supervisor.

```
runs/<run-id>/
  spec.json      what was asked           report.json   evaluation
  events.jsonl   what happened            worker.json   which process works on it
  control/       commands                 worker.log    what it said
  checkpoints/   weights and state        summary.json  cache of the events' fold
```
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError, StoreError, UnknownName
from lepton_lab.runs import listing
from lepton_lab.runs.atomic import read_json, store_error, sync_directory, write_json
from lepton_lab.runs.bulk import undisturbed
from lepton_lab.runs.control import forget_commands
from lepton_lab.runs.curve import Curve
from lepton_lab.runs.devices import asked_device, check_devices
from lepton_lab.runs.events import EventLog, EventWriter, iterate_events, read_events
from lepton_lab.runs.labels import read_labels, trust
from lepton_lab.runs.launch import ensure_supervisor
from lepton_lab.runs.lines import Event
from lepton_lab.runs.listing import Listing, read_run, whole
from lepton_lab.runs.paths import Store, check_name
from lepton_lab.runs.people import current_user
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.ray_cluster import wanted
from lepton_lab.runs.states import ENDED, RunState
from lepton_lab.runs.summary import RunSummary

if TYPE_CHECKING:
    from lepton_lab.specs import RunSpec

_SLUG_LENGTH = 24


class RunRecord:
    """One run's folder, for reading. Nothing is kept in memory; every call reads anew.

    Args:
        store: The store.
        run_id: The run's name.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.run_id = store, run_id
        self.dir = store.run_dir(run_id)

    @classmethod
    def find(cls, store: Store, run_id: str) -> RunRecord:
        """The record of a run that exists.

        Raises:
            UnknownName: If there is none of that name.
        """
        names = run_names(store)
        if run_id not in names:
            raise UnknownName("run", run_id, names)
        return cls(store, run_id)

    def spec(self) -> RunSpec:
        """What was asked.

        Raises:
            StoreError: If it cannot be read.
        """
        from lepton_lab.specs import RunSpec

        return RunSpec.parse(read_json(self.dir / "spec.json"))

    def summary(self, *, with_place: bool = True) -> RunSummary:
        """The run at a glance; a folder that cannot be read gives a failed run with reason "unreadable".

        Args:
            with_place: Whether a waiting run's place is wanted, for which the whole queue is read.
        """
        known = read_run(self.dir)
        is_waiting = with_place and known.state == RunState.queued
        return whole(known.values, _positions(self.store).get(self.run_id) if is_waiting else None)

    def events(self, since: int = 0) -> list[Event]:
        """The events with a greater number than `since`."""
        return read_events(self.dir, since)

    def curve(self) -> Curve:
        """All curves, folded from all events."""
        curve = Curve(self.run_id)
        for event in iterate_events(self.dir):
            curve.apply(event)
        curve.queue_position = _positions(self.store).get(self.run_id)
        return curve

    def report(self) -> dict[str, Any] | None:
        """The evaluation, or None before there is one.

        Raises:
            StoreError: If it cannot be read.
        """
        path = self.dir / "report.json"
        return read_json(path) if path.exists() else None

    def __repr__(self) -> str:
        return f"RunRecord({self.run_id!r})"


def create_run(
    store: Store,
    spec: RunSpec,
    *,
    name: str | None = None,
    owner: str | None = None,
    user: str | None = None,
    submitted: bool = False,
    parent: dict[str, Any] | None = None,
    fill: Callable[[Path, EventWriter], None] | None = None,
) -> RunRecord:
    """Makes a run's folder, whole or not at all, with the spec and the first event. Does not queue it.

    Args:
        store: The store.
        spec: What to train, on what, how.
        name: The run's name (default: the spec's, else dataset, network and a number); a taken one gets a number.
        owner: Who asked, for whoever wants to find their own runs again.
        user: Whose run it is (default: who runs this process).
        submitted: Whether it goes to the queue next; a supervisor then sees to it that it gets there.
        parent: Where it comes from, if it goes on from another run.
        fill: Puts more into the folder, and into the record after the first event, before the run has its name.

    Raises:
        RunError: If it wants more devices than there are.
        StoreError: If the disk does not take it.
    """
    if submitted:
        check_devices(spec.train.devices, spec.train.device)
    store.prepare()
    name = name or spec.train.name
    dataset, model = slug(spec.data.name), slug(spec.model.name)
    first: dict[str, Any] = {"dataset": dataset, "model": model, "epochs": spec.train.epochs, "owner": owner}
    first |= {"user": user or current_user(), "priority": spec.train.priority}
    if spec.train.cluster is not None:
        first |= {"cluster": spec.train.cluster, "wants": wanted(spec.train)}
    if parent is not None:
        first["parent"] = parent
    temporary = store.runs_dir / f".new-{secrets.token_hex(8)}"
    try:
        temporary.mkdir(mode=0o700)
        (temporary / "control").mkdir(mode=0o700)
        write_json(temporary / "spec.json", spec.model_dump(mode="json"))
        for run_id in _free_names(store, name, f"{dataset}-{model}"):
            with EventLog.open_writer(temporary) as writer:
                seal = store.seal(run_id) if submitted else None
                writer.append("RunQueued", run_id=run_id, name=run_id, seal=seal, **first)
                if fill is not None:
                    fill(temporary, writer)
            if _publish(temporary, store.run_dir(run_id)):
                return RunRecord(store, run_id)
            (temporary / "events.jsonl").unlink()
    except OSError as error:
        raise store_error(error, temporary) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    raise RunError(f"There are too many runs called {name!r}; remove some, or choose another name.")


def submit(store: Store, spec: RunSpec, *, name: str | None = None, owner: str | None = None) -> RunRecord:
    """Makes a run, queues it and sees to it that a supervisor is there. Returns at once; see `create_run`."""
    record = create_run(store, spec, name=name, owner=owner, submitted=True)
    enqueue(record, spec)
    return record


def enqueue(record: RunRecord, spec: RunSpec) -> None:
    """Puts a run that is queued in its record into the queue, and sees to it that a supervisor is there."""
    summary = record.summary()
    train = spec.train
    Queue(record.store).enqueue(
        record.run_id,
        device=asked_device(train.device, train.cluster),
        priority=summary.priority,
        user=summary.user,
        share=train.gpu_fraction,
        devices=train.devices,
    )
    ensure_supervisor(record.store)


def resume_run(store: Store, run_id: str, *, by: str = "python") -> RunRecord:
    """Queues a stopped or failed run again; it goes on from its last checkpoint.

    Raises:
        UnknownName: If there is no such run.
        RunError: If it has not ended, or has finished.
    """
    record = RunRecord.find(store, run_id)
    spec = record.spec()
    with EventLog.open_writer(record.dir) as writer:
        state = writer.state
        if state not in ENDED or state is RunState.finished:
            raise RunError(f"Run {run_id!r} is {state}; only a stopped or failed run can be resumed.")
        require_trust(record, spec)
        forget_commands(record.dir)
        writer.append("RunQueued", run_id=run_id, resumed=True, by=by, seal=store.seal(run_id))
    enqueue(record, spec)
    return record


def require_trust(record: RunRecord, spec: RunSpec) -> None:
    """Refuses to run code that came with a run folder from elsewhere, until its new owner says that it may.

    Raises:
        RunError: If the run has a network of its own, was not made in this store, and nobody has trusted it.
    """
    if spec.model.source is None:
        return
    labels, store = read_labels(record.dir), record.store
    seals = [labels.trusted_seal, *(event.get("seal") for event in record.events() if event["type"] == "RunQueued")]
    if not any(store.is_sealed(record.run_id, seal) for seal in seals):
        raise RunError(
            f"Run {record.run_id!r} came from elsewhere and brings code of its own. Read the source in its spec.json; "
            "if you trust it, say so with trust_run, then try again."
        )


def trust_run(store: Store, run_id: str, *, by: str) -> None:
    """Says that the code in a run from elsewhere may be run in this store."""
    trust(RunRecord.find(store, run_id).dir, store.seal(run_id), by=by)


def list_runs(store: Store) -> list[RunSummary]:
    """Every run at a glance, newest first; a folder that cannot be read is a failed run, reason "unreadable"."""
    known = Listing.of(store).look()
    with undisturbed():
        waiting = RunState.queued.value
        places = _positions(store) if any(each.state == waiting for each in known.values()) else {}
        found = [
            whole(each.values, places.get(name) if each.state == waiting else None) for name, each in known.items()
        ]
        return sorted(found, key=lambda run: (run.created or 0.0, run.run_id), reverse=True)


def run_names(store: Store) -> list[str]:
    """The names of all runs of a store, readable or not, in no order.

    Raises:
        StoreError: If the folder cannot be read.
    """
    return listing.run_names(store.runs_dir)


def _positions(store: Store) -> dict[str, int]:
    try:
        return Queue(store, timeout_seconds=0.2).positions()
    except StoreError:  # a list without places is better than none
        return {}


def _free_names(store: Store, name: str | None, prefix: str) -> Iterator[str]:
    """Names that no run has, best first."""
    taken = set(run_names(store))
    if name is not None and check_name("run", name) not in taken:
        yield name
    stem, first = (prefix, 1) if name is None else (name[:58], 2)
    for number in range(first, first + len(taken) + 1_000):
        if f"{stem}-{number}" not in taken:
            yield f"{stem}-{number}"


def _publish(folder: Path, target: Path) -> bool:
    """Gives a finished folder its name; False if another process has just taken that name."""
    sync_directory(folder)
    try:
        os.rename(folder, target)
    except OSError:
        if target.exists():
            return False
        raise
    sync_directory(target.parent)
    return True


def slug(name: str) -> str:
    """A dataset's or network's name as part of a run's: a path becomes its last part without the suffix."""
    stem = Path(name).stem if "/" in name or "." in name else name
    return re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")[:_SLUG_LENGTH] or "data"
