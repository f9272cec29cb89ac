"""Runs that go on from another run's checkpoint: trained longer, or forked with changed options.

The new run is a folder of its own with a copy of the checkpoint; the old one stays as it is. Its first event says
where it comes from (`parent`): the run, the step, "continued" or "forked", what was kept and which options changed.

- Where nothing moves a row (rates, optimizer, schedule, epochs, ...), everything is kept: weights, random states, the
  place in the epoch, the curve so far, and the optimizer's state unless the optimizer changed.
- With other data, another batch size, seed or other options of the network, the weights are kept, and the new run
  counts its steps from 0.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.checkpoints import all_steps, checkpoint_at, latest_checkpoint, new_checkpoint
from lepton_lab.runs.curve import AT_EPOCHS, Curve, Series
from lepton_lab.runs.events import EventWriter
from lepton_lab.runs.record import RunRecord, create_run, enqueue, require_trust
from lepton_lab.runs.states import RunState, require

if TYPE_CHECKING:
    from lepton_lab.runs.paths import Store
    from lepton_lab.specs import RunSpec, TrainSpec

_NEW_START = ("batch_size", "seed")
"""Training options that decide which rows a step sees: with another value, the old place in the epoch means nothing."""
_NEW_SCHEDULE = ("epochs", "learning_rate", "schedule", "optimizer")
_POINTS_AN_EVENT = 20_000
_PLAN_FILE = "plan.json"


def continue_run(
    store: Store, run_id: str, epochs: int, *, by: str, name: str | None = None, **train: Any
) -> RunRecord:
    """Trains a run longer: a new run that goes on from its last checkpoint, with so many more epochs. Queued at once.

    The learning rate begins a new schedule over the added epochs. Early stopping counts anew.

    Args:
        store: The store.
        run_id: A run that has ended and has a checkpoint.
        epochs: Epochs to add to those that it has done.
        by: Who asks.
        name: The new run's name (default: dataset, network and a number).
        train: Training options to change, as of `TrainSpec`.

    Raises:
        UnknownName: If there is no such run or option.
        SpecError: If an option's value is not allowed.
        RunError: If the run has not ended, or has no checkpoint.
    """
    record = RunRecord.find(store, run_id)
    require("continue", run_id, RunState(record.summary().state))
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        raise RunError(f"continue was given {epochs!r} epochs; give a whole number of epochs to add, at least 1.")
    step, path = _last(record)
    total = int(read_json(path / "state.json")["num_epochs_ended"]) + epochs
    return _branch(record, step, path, "continued", {**train, "epochs": total}, {}, {}, by, name)


def fork_run(
    store: Store,
    run_id: str,
    *,
    by: str,
    step: int | None = None,
    name: str | None = None,
    train: Mapping[str, Any] | None = None,
    model_options: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> RunRecord:
    """Makes a new run from a checkpoint of another one, with changed options. Queued at once.

    Args:
        store: The store.
        run_id: The run; may be at work.
        by: Who asks.
        step: Whose checkpoint (default: the last; `checkpoint_steps` names them).
        name: The new run's name (default: dataset, network and a number).
        train: Training options to change, as of `TrainSpec`.
        model_options: Options of the network to change; its shapes must stay.
        data: Data options to change, as of `DataSpec`; another dataset needs rows and classes of the same shape.

    Raises:
        UnknownName: If there is no such run or option.
        SpecError: If an option's value is not allowed.
        RunError: If there is no such checkpoint.
    """
    record = RunRecord.find(store, run_id)
    at, path = _last(record) if step is None else (step, checkpoint_at(record.dir, step))
    return _branch(record, at, path, "forked", dict(train or {}), dict(model_options or {}), dict(data or {}), by, name)


def checkpoint_steps(store: Store, run_id: str) -> list[int]:
    """The steps of a run's checkpoints, oldest first: what it can be forked from."""
    return all_steps(RunRecord.find(store, run_id).dir)


def lineage(store: Store, run_id: str) -> list[dict[str, Any]]:
    """Where a run comes from, the nearest first: `{run_id, step, kind, kept, changed, exists}` for each ancestor."""
    found: list[dict[str, Any]] = []
    parent = RunRecord.find(store, run_id).summary().parent
    seen = {run_id}
    while parent is not None and parent["run_id"] not in seen:
        ancestor = RunRecord(store, parent["run_id"])
        exists = ancestor.dir.is_dir()
        found.append({**parent, "exists": exists})
        seen.add(parent["run_id"])
        parent = ancestor.summary().parent if exists else None
    return found


def _last(record: RunRecord) -> tuple[int, Path]:
    found = latest_checkpoint(record.dir)
    if found is None:
        raise RunError(f"Run {record.run_id!r} has no intact checkpoint yet, so there is nothing to go on from.")
    return found


def _branch(
    record: RunRecord,
    step: int,
    path: Path,
    kind: str,
    train: dict[str, Any],
    model_options: dict[str, Any],
    data: dict[str, Any],
    by: str,
    name: str | None,
) -> RunRecord:
    old = record.spec()
    require_trust(record, old)
    # Validated apart from the name, which belongs to the run that it was given to.
    new_train = old.train.changed(**{"name": None, **train})
    new_model = old.model.changed(options={**old.model.options, **model_options}) if model_options else old.model
    new_data = old.data.changed(**data) if data else old.data
    spec = old.model_copy(update={"train": new_train, "model": new_model, "data": new_data})
    keeps_place = new_data == old.data and new_model == old.model and not _differs(old.train, new_train, _NEW_START)
    summary = record.summary()
    parent = {
        "metric": summary.metric,
        "higher_is_better": summary.higher_is_better,
        "run_id": record.run_id,
        "step": step,
        "kind": kind,
        "kept": "everything" if keeps_place else "weights",
        "changed": option_changes(old, spec),
        "by": by,
    }

    def fill(folder: Path, writer: EventWriter) -> None:
        if not (folder / "checkpoints").exists():  # the folder may be named anew when its name was just taken
            _copy_checkpoint(path, folder, step if keeps_place else 0, old.train, new_train, keeps_place)
            if keeps_place:
                _copy_plan(record.dir, folder, old.train, new_train)
        if keeps_place:
            _copy_curve(record.curve(), step, writer, bool(read_json(path / "state.json").get("is_epoch_open")))

    child = create_run(record.store, spec, name=name, submitted=True, parent=parent, fill=fill)
    enqueue(child, spec)
    return child


def option_changes(old: RunSpec, new: RunSpec) -> dict[str, list[Any]]:
    """The options that differ: `{"train.learning_rate": [old, new], ...}`."""
    before, after = flat_options(old.model_dump(mode="json")), flat_options(new.model_dump(mode="json"))
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: [before.get(name), after.get(name)]
        for name in names
        if before.get(name) != after.get(name) and name != "train.name"
    }


def flat_options(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested options as one level: `{"train.epochs": 20, ...}`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat_options(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _differs(old: TrainSpec, new: TrainSpec, names: tuple[str, ...]) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _copy_checkpoint(source: Path, folder: Path, step: int, old: TrainSpec, new: TrainSpec, keeps_place: bool) -> None:
    """The parent's checkpoint as the child's first one; what does not hold any more is left out of its state."""
    state = read_json(source / "state.json")
    left_out = {"manifest.json", "state.json"}
    if not keeps_place:
        state = {"format": state["format"], "step": 0, "num_epochs_ended": 0}
        left_out |= {each.name for each in source.iterdir() if each.name != "model.safetensors"}
    else:
        if _differs(old, new, _NEW_SCHEDULE):
            state["schedule"] = None
        if new.optimizer != old.optimizer:
            state["optimizer_num_steps"] = 0
            left_out.add("optimizer.safetensors")
        if state.get("best"):
            state["best"]["num_epochs_since"] = 0
        state["seconds"] = 0.0
    with new_checkpoint(folder, step) as made:
        for file in source.iterdir():
            if file.name not in left_out:
                shutil.copyfile(file, made / file.name)
        write_json(made / "state.json", state, durable=False)


def _copy_plan(source: Path, folder: Path, old: TrainSpec, new: TrainSpec) -> None:
    """What was chosen for the parent holds for the child, but for the options that somebody changed."""
    if not (source / _PLAN_FILE).exists():
        return
    plan = read_json(source / _PLAN_FILE)
    changed = [name for name in type(new).model_fields if getattr(old, name) != getattr(new, name)]
    for name in changed:
        value = getattr(new, name)
        if value in (None, "auto"):
            return  # left to the product again: the worker chooses everything anew
        if name in plan:
            plan[name] = value
            plan.get("choices", {}).pop(name, None)
    if "optimizer" in changed and not {"learning_rate", "weight_decay"} <= set(changed):
        return  # those two are chosen for the optimizer
    write_json(folder / _PLAN_FILE, plan, durable=False)


def _copy_curve(curve: Curve, step: int, writer: EventWriter, is_epoch_open: bool) -> None:
    """The parent's points up to the step, so that the child's curve is whole; the child itself ends an open epoch."""
    scale = curve.fold.steps_per_epoch or 1
    for name, series in curve.series.items():
        series.truncate(step - 1 if is_epoch_open and name.startswith(AT_EPOCHS) else step)
    for name in (each for each in curve.series if not each.startswith(AT_EPOCHS)):
        for steps, values in _parts(curve.series[name]):
            points = {name: {"step": steps, "value": values}}
            writer.append("MetricsRecorded", series=points, step=steps[-1], epoch=steps[-1] / scale, inherited=True)
    epochs: dict[int, dict[str, Any]] = {}
    for name, series in curve.series.items():
        if not name.startswith(AT_EPOCHS):
            continue
        for at, epoch, value in zip(series.steps, series.x, series.y, strict=True):
            epochs.setdefault(at, {"epoch": round(epoch)})[name] = value
    for at in sorted(epochs):
        writer.append("EpochEnded", step=at, **epochs[at], inherited=True)


def _parts(series: Series) -> Iterator[tuple[list[int], list[float]]]:
    for at in range(0, len(series), _POINTS_AN_EVENT):
        end = at + _POINTS_AN_EVENT
        yield list(series.steps[at:end]), list(series.y[at:end])
