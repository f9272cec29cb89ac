"""What the verbs about kept runs answer: a sentence, a run's details, a comparison, the queue, what could be freed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count, metric, moment, score, seconds, table
from lepton_lab.words import say

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary
    from lepton_lab.runs.compare import Comparison
    from lepton_lab.runs.housekeeping import GcPlan

_LEFT_OUT = ("train_loss", "samples_per_second", "step", "restarts")
"""The results that a comparison leaves out as text; its plain values have all of them."""


@dataclass(repr=False)
class Said(Shown):
    """A sentence about what was done, with its plain values."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, **self.values}

    def __str__(self) -> str:
        return say(self.text)


@dataclass(repr=False)
class RunDetails(Shown):
    """All that is known about one run without its curve."""

    summary: RunSummary
    hints: list[str]
    """What slows it down, in words."""
    options: dict[str, Any]
    lineage: list[dict[str, Any]]
    checkpoints: list[int]
    pinned_checkpoints: list[int]
    num_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "summary": self.summary.to_dict(),
            "hints": self.hints,
            "options": self.options,
            "lineage": self.lineage,
            "checkpoints": self.checkpoints,
            "pinned_checkpoints": self.pinned_checkpoints,
            "bytes": self.num_bytes,
        }

    def facts(self) -> list[tuple[str, str]]:
        """Names and values for people, what is empty left out."""
        s = self.summary
        pinned = self.pinned_checkpoints
        steps = ", ".join(f"{step} (pinned)" if step in pinned else str(step) for step in self.checkpoints)
        rows = [
            ("state", s.state + (f": {s.message}" if s.message else "")),
            ("title", s.title or ""),
            ("tags", ", ".join(s.tags)),
            ("note", s.note),
            ("pinned", "yes" if s.pinned else ""),
            ("epoch", f"{s.epoch or 0:.0f} of {s.epochs or 0}"),
            (f"validation {metric(s.metric)}", score(s.val_metric)),
            (f"test {metric(s.metric)}", score(s.test_metric)),
            ("trained", seconds(s.elapsed_seconds)),
            ("started", moment(s.created)),
            ("waiting for data", waiting_words(s.waiting_fraction)),
            ("hint", " ".join(self.hints)),
            ("comes from", "; ".join(ancestor_words(each) for each in self.lineage)),
            ("checkpoints", f"at step {steps}" if steps else "none"),
            ("verified", "" if s.verified is None else "yes, bit by bit" if s.verified else "no: a replay differs"),
            ("on disk", megabytes(self.num_bytes)),
        ]
        return [(name, value) for name, value in rows if value not in ("", "-")]

    def __str__(self) -> str:
        facts = self.facts()
        width = max(len(name) for name, _ in facts)
        lines = [self.summary.run_id, *(f"  {name:<{width}}  {value}" for name, value in facts)]
        chosen = {name: value for name, value in self.options.items() if value not in (None, "", "auto", {})}
        lines += ["", "  options", *(f"  {name} = {value}" for name, value in chosen.items())]
        return "\n".join(lines)


class ComparisonView(Shown):
    """Runs side by side, with the options in which they differ."""

    def __init__(self, comparison: Comparison, *, all_options: bool = False) -> None:
        self.comparison, self.all_options = comparison, all_options

    def to_dict(self) -> dict[str, Any]:
        return self.comparison.to_dict()

    def shown_columns(self) -> list[str]:
        """The columns that are worth a look: the run, the options that differ (or all), the results that there are."""
        kinds = {column.name: column for column in self.comparison.columns}
        options = [c.name for c in kinds.values() if c.kind == "option" and (c.differs or self.all_options)]
        figures = [name for name, column in kinds.items() if column.kind == "result" and name not in _LEFT_OUT]
        figures = [name for name in figures if any(row[name] is not None for row in self.comparison.rows)]
        return ["run_id", *options, *figures]

    def text_rows(self) -> list[list[str]]:
        """The shown cells as text."""
        columns = self.shown_columns()
        return [[cell_text(name, row[name]) for name in columns] for row in self.comparison.rows]

    def __str__(self) -> str:
        return table([column_words(name) for name in self.shown_columns()], self.text_rows())


class QueueView(Shown):
    """What waits and what is at work, in order."""

    def __init__(self, summaries: list[RunSummary], slots: dict[str, str]) -> None:
        """`slots` says which device each run at work has, by the run's name."""
        self.summaries, self.slots = summaries, slots

    def to_dict(self) -> dict[str, Any]:
        return {"queue": [{**s.to_dict(), "slot": self.slots.get(s.run_id)} for s in self.summaries]}

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Place, run, state, priority and whose it is, as text."""
        return [
            (
                str(s.queue_position or "-"),
                s.title or s.run_id,
                f"{s.state} on {self.slots[s.run_id]}" if s.run_id in self.slots else str(s.state),
                str(s.priority),
                s.user or "-",
            )
            for s in self.summaries
        ]

    def __str__(self) -> str:
        if not self.summaries:
            return "The queue is empty: no run waits, none is at work."
        return table(("place", "run", "state", "priority", "user"), self.rows())


@dataclass(repr=False)
class GcView(Shown):
    """What could be freed, or what was."""

    plan: GcPlan
    freed_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**self.plan.to_dict(), "freed_bytes": self.freed_bytes}

    def __str__(self) -> str:
        if self.freed_bytes is not None:
            return f"{megabytes(self.freed_bytes)} were freed."
        if not self.plan.items:
            return str(self.plan)
        return f"{self.plan}\nNothing is gone yet; type %lepton runs gc --apply to free it."


def column_words(name: str) -> str:
    """A column as people read it: "train.learning_rate" is "learning_rate"."""
    return {"run_id": "run", "data.name": "dataset", "model.name": "model"}.get(name, name.rpartition(".")[2])


_CELLS: dict[str, Callable[[Any], str]] = {
    "elapsed_seconds": seconds,
    "epoch": lambda value: f"{value:.1f}",
    "step": count,
}


_SCORES = ("val_", "best_val_", "train_", "test_")


def cell_text(name: str, value: Any) -> str:
    """A cell's value as text."""
    if value is None:
        return "-"
    if name in _CELLS:
        return _CELLS[name](value)
    if name.startswith(_SCORES) and isinstance(value, float):
        return score(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def ancestor_words(ancestor: dict[str, Any]) -> str:
    """Where a run comes from, as a sentence's part."""
    changed = ", ".join(f"{column_words(name)} {old} → {new}" for name, (old, new) in ancestor["changed"].items())
    gone = "" if ancestor.get("exists", True) else ", which is gone"
    return f"{ancestor['kind']} from {ancestor['run_id']}{gone} at step {ancestor['step']}" + (
        f" ({changed})" if changed else ""
    )


def waiting_words(fraction: float | None) -> str:
    """How much of its time a run waits for data, where it is worth saying."""
    return "" if fraction is None or fraction < 0.05 else f"{fraction:.0%} of the time"


def megabytes(num_bytes: float) -> str:
    """A number of bytes as a person reads it."""
    from lepton_lab.runs.housekeeping import human_bytes

    return human_bytes(num_bytes)
