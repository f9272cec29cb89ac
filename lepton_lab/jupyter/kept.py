"""What a browser may do with runs that are there, each a function of the store and the request's body.

Every body is checked for fields that nobody knows; what a run allows in its state is the store's to say.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lepton_lab.errors import LeptonError, SpecError, UnknownName
from lepton_lab.jupyter.commands import GIVER
from lepton_lab.runs import branch, housekeeping, labels, lifecycle
from lepton_lab.runs.checkpoints import all_steps
from lepton_lab.runs.compare import compare_runs
from lepton_lab.runs.hints import run_hints
from lepton_lab.runs.monitor import machine, read_monitor, read_run_monitor
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import RunRecord
from lepton_lab.runs.states import RunState, asks_of
from lepton_lab.runs.verification import read_verification, start_verification
from lepton_lab.words import told

FRESH_SECONDS = 5.0
"""Without a younger sample of the supervisor's, the machine is measured here: nothing is at work then."""
MOST_COMPARED = 64
_LABELS = ("title", "tags", "note", "pinned", "checkpoint")


def details(store: Store, run_id: str) -> dict[str, Any]:
    """All about one run but its curve: `{"summary", "options", "lineage", "labels", "checkpoints", "size", ...}`.

    Raises:
        UnknownName: If there is no such run.
    """
    run = RunRecord.find(store, run_id)
    summary = run.summary()
    try:
        options = branch.flat_options(run.spec().model_dump(mode="json"))
    except LeptonError:  # a folder that was copied in half is still shown
        options = {}
    return {
        "summary": summary.to_page(),
        "options": options,
        "lineage": branch.lineage(store, run_id),
        "labels": asdict(labels.read_labels(run.dir)) | {"trusted_seal": None},
        "checkpoints": all_steps(run.dir),
        "size": asdict(housekeeping.run_size(store, run_id)),
        "asks": asks_of(RunState(summary.state)),
        "verification": told(read_verification(run.dir) or {}) or None,
    }


def set_labels(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Changes a run's labels.

    Args:
        store: The store.
        run_id: The run.
        body: Any of `title` (text or null), `tags` (all of them), `note`, `pinned`; with `checkpoint`, `pinned` is
            about the checkpoint of that step.

    Returns:
        `{"run_id", "title", "tags", "note", "pinned", "pinned_checkpoints"}`.

    Raises:
        UnknownName: If there is no such run or field.
        SpecError: If a field has the wrong type.
        RunError: If a label is not allowed.
    """
    _only(body, "label", _LABELS)
    run_dir = RunRecord.find(store, run_id).dir
    if "title" in body:
        labels.rename_run(run_dir, _typed(body, "title", str, none=True), by=GIVER)
    if "tags" in body:
        wanted = _texts(body, "tags")
        gone = [tag for tag in labels.read_labels(run_dir).tags if tag not in wanted]
        labels.tag_run(run_dir, wanted, gone, by=GIVER)
    if "note" in body:
        labels.note_run(run_dir, _typed(body, "note", str), by=GIVER)
    if "checkpoint" in body:
        labels.pin_checkpoint(run_dir, _typed(body, "checkpoint", int), _typed(body, "pinned", bool), by=GIVER)
    elif "pinned" in body:
        labels.pin_run(run_dir, _typed(body, "pinned", bool), by=GIVER)
    now = labels.read_labels(run_dir)
    return {
        "run_id": run_id,
        "title": now.title,
        "tags": now.tags,
        "note": now.note,
        "pinned": now.pinned,
        "pinned_checkpoints": now.pinned_checkpoints,
    }


def retry(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Queues a failed or stopped run again."""
    _only(body, "field", ())
    return {"run_id": lifecycle.retry_run(store, run_id, by=GIVER).run_id}


def train_longer(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Goes on in a new run: `{"epochs": to add, "name": optional, "train": changed options, optional}`."""
    _only(body, "field", ("epochs", "name", "train"))
    name = _typed(body, "name", str, none=True) if "name" in body else None
    train = _options(body, "train")
    record = branch.continue_run(store, run_id, _typed(body, "epochs", int), by=GIVER, name=name, **train)
    return {"run_id": record.run_id}


def fork(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Starts a new run from a checkpoint: `{"step", "name", "train", "model"}`, all optional."""
    _only(body, "field", ("step", "name", "train", "model"))
    step = _typed(body, "step", int, none=True) if "step" in body else None
    name = _typed(body, "name", str, none=True) if "name" in body else None
    train, model = _options(body, "train"), _options(body, "model")
    record = branch.fork_run(store, run_id, by=GIVER, step=step, name=name, train=train, model_options=model)
    return {"run_id": record.run_id}


def verify(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Starts the proof of a finished run in a process of its own; `details` tells how it stands."""
    _only(body, "field", ())
    start_verification(store, run_id, by=GIVER)
    return {"run_id": run_id}


def queue(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Changes a run's `priority`, its `place` among those of its priority, or both."""
    _only(body, "field", ("priority", "place"))
    if not body:
        raise SpecError('The body changes nothing; send {"priority": 5} or {"place": 1}.')
    if "priority" in body:
        lifecycle.set_priority(store, run_id, _typed(body, "priority", int), by=GIVER)
    if "place" in body:
        lifecycle.move_run(store, run_id, _typed(body, "place", int), by=GIVER)
    summary = RunRecord.find(store, run_id).summary()
    return {"run_id": run_id, "priority": summary.priority, "queue_position": summary.queue_position}


def delete(store: Store, run_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Removes a run that has ended or waits; `{"force": true}` one that is pinned, too."""
    _only(body, "field", ("force",))
    force = _typed(body, "force", bool) if "force" in body else False
    return {"run_id": run_id, "freed_bytes": lifecycle.delete_run(store, run_id, by=GIVER, force=force)}


def compare(store: Store, run_ids: Sequence[str]) -> dict[str, Any]:
    """Runs side by side, with their curves; see `Comparison.to_dict`. Runs that are gone are named in "gone"."""
    if len(run_ids) > MOST_COMPARED:
        raise SpecError(f"{len(run_ids)} runs are too many to compare at once; take {MOST_COMPARED} at most.")
    there = {run_id for run_id in run_ids if _exists(store, run_id)}
    kept = [run_id for run_id in run_ids if run_id in there]
    gone = [run_id for run_id in run_ids if run_id not in there]
    if not kept:
        return {"columns": [], "rows": [], "curves": {}, "differing": [], "gone": gone}
    return {**compare_runs(store, kept).to_dict(), "gone": gone}


def plan_space(store: Store) -> dict[str, Any]:
    """What could be freed: `{"bytes", "items": [{"kind", "name", "bytes", "why", "run_id"}], "free_bytes"}`."""
    plan = housekeeping.plan_gc(store)
    items = [{name: value for name, value in item.to_dict().items() if name != "path"} for item in plan.items]
    return {"bytes": plan.bytes, "items": items, "free_bytes": machine(store.root).get("disk_free_bytes")}


def free_space(store: Store, body: Mapping[str, Any]) -> dict[str, Any]:
    """Frees what `plan_space` names now; more than the `bytes` that the person has seen is not freed."""
    _only(body, "field", ("bytes",))
    plan = housekeeping.plan_gc(store)
    if plan.bytes > _typed(body, "bytes", int):
        raise SpecError("More could be freed than what was shown; look at the list again.")
    return {"freed_bytes": housekeeping.collect(store, plan, by=GIVER)}


def machine_samples(store: Store, since: float) -> dict[str, Any]:
    """The machine's samples after a time, in unix seconds; while nothing is at work, one that is taken now."""
    samples = read_monitor(store, since)
    now = time.time()
    if not samples and now - since > FRESH_SECONDS:
        samples = [{"time": round(now, 2), **machine(store.root), "gpus": [], "runs": {}}]
    return {"samples": samples}


def run_samples(store: Store, run_id: str, since: float) -> dict[str, Any]:
    """A run's samples after a time, in unix seconds, and what slows it down: `{"samples", "hints"}`.

    A hint is `{"code", "values", "text"}`; the text is English, whoever knows the code says it in their own language.

    Raises:
        UnknownName: If there is no such run.
    """
    hints = [hint.to_dict() for hint in run_hints(store, run_id)]
    return {"samples": read_run_monitor(store, run_id, since), "hints": hints}


def _exists(store: Store, run_id: str) -> bool:
    try:
        return store.run_dir(run_id).is_dir()
    except SpecError:
        return False


def _only(body: Mapping[str, Any], kind: str, known: Sequence[str]) -> None:
    unknown = [key for key in body if key not in known]
    if unknown:
        raise UnknownName(kind, unknown[0], known)


def _typed(body: Mapping[str, Any], name: str, kind: type, *, none: bool = False) -> Any:
    value = body.get(name)
    if value is None and none:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        expected = {str: "a text", int: "a whole number", bool: "true or false"}[kind]
        raise SpecError(f"{name} is {value!r}; expected {expected}{' or null' if none else ''}.")
    return value


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SpecError(f"{name} is {value!r}; expected a list of texts.")
    return value


def _options(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise SpecError(f"{name} is {value!r}; expected an object of options.")
    return value
