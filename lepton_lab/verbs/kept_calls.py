"""The session call of each verb about kept runs: (session, values of the line, cell) -> the object to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_lab.errors import SpecError

if TYPE_CHECKING:
    from lepton_lab.session import Session

Values = dict[str, Any]


def runs(session: Session, values: Values, cell: str | None) -> Any:
    """The runs, filtered and sorted."""
    return session.runs(**{"limit": 20, **values})


def show(session: Session, values: Values, cell: str | None) -> Any:
    """All about one run."""
    return session.run(values.get("run")).details()


def rename(session: Session, values: Values, cell: str | None) -> Any:
    """A run's title."""
    return session.run(values["run"]).rename(values.get("title"))


def tag(session: Session, values: Values, cell: str | None) -> Any:
    """A run's tags."""
    return session.run(values["run"]).tag(values["tags"], remove=values.get("remove", False))


def note(session: Session, values: Values, cell: str | None) -> Any:
    """A run's note."""
    return session.run(values["run"]).note(values.get("text", ""))


def pin(session: Session, values: Values, cell: str | None) -> Any:
    """A pin, on or off."""
    return session.run(values["run"]).pin(values.get("pinned", True), checkpoint=values.get("checkpoint"))


def delete(session: Session, values: Values, cell: str | None) -> Any:
    """Deletes a run."""
    return session.run(values["run"]).delete(force=values.get("force", False))


def gc(session: Session, values: Values, cell: str | None) -> Any:
    """Disk space."""
    return session.gc(**values)


def export(session: Session, values: Values, cell: str | None) -> Any:
    """Runs in other programs' formats."""
    return session.export(values.pop("runs"), **values)


def move(session: Session, values: Values, cell: str | None) -> Any:
    """A run's folder elsewhere."""
    return session.run(values["run"]).move(values["folder"])


def import_run(session: Session, values: Values, cell: str | None) -> Any:
    """A run from elsewhere."""
    return session.import_run(values["folder"], name=values.get("name"), move=values.get("move", False))


def verify(session: Session, values: Values, cell: str | None) -> Any:
    """A proof."""
    return session.run(values.get("run")).verify()


def trust(session: Session, values: Values, cell: str | None) -> Any:
    """Trust in a run's code."""
    return session.run(values["run"]).trust()


def checkpoint(session: Session, values: Values, cell: str | None) -> Any:
    """A checkpoint now."""
    from lepton_lab.session import Asked

    return Asked(session.active_run(values.get("run")).checkpoint(), "save a checkpoint")


def retry(session: Session, values: Values, cell: str | None) -> Any:
    """Another try."""
    return session.run(values.get("run")).retry()


def train_longer(session: Session, values: Values, cell: str | None) -> Any:
    """More epochs."""
    run = session.run(values.pop("run", None))
    return run.train_longer(values.pop("epochs", 10), **values)


def fork(session: Session, values: Values, cell: str | None) -> Any:
    """A branch with changed options; `--data-...` and `--model-...` are those of `data` and `model`."""
    run = session.run(values.pop("run", None))
    parts: dict[str, Values] = {"data": {}, "model": {}}
    for key in list(values):
        owner, _, option = key.partition("_")
        if owner in parts and option:
            parts[owner][option] = values.pop(key)
    return run.fork(**values, data=parts["data"] or None, model=parts["model"] or None)


def compare(session: Session, values: Values, cell: str | None) -> Any:
    """Runs side by side."""
    return session.compare(values.pop("runs"), **values)


def queue(session: Session, values: Values, cell: str | None) -> Any:
    """The queue, or a change of it."""
    run_id = values.pop("run", None)
    if run_id is None:
        if values:
            raise SpecError("queue: which run? Type %lepton queue RUN --priority 5.")
        return session.queue()
    return session.run(run_id).queue(**values)
