"""What the verbs about kept runs answer: a sentence, a run's details, a comparison, the queue, what could be freed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count, metric, moment, score, seconds, state_word, table
from lepton_lab.words import N_, _, columns, heads, left, say

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary
    from lepton_lab.runs.compare import Comparison
    from lepton_lab.runs.copies import Note
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
    copies: Note
    """Where its copies on shared storage are."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "summary": self.summary.to_dict(),
            "hints": self.hints,
            "options": self.options,
            "lineage": self.lineage,
            _("checkpoints"): self.checkpoints,
            "pinned_checkpoints": self.pinned_checkpoints,
            "bytes": self.num_bytes,
            "copies": self.copies._asdict(),
        }

    def facts(self) -> list[tuple[str, str]]:
        """Names and values for people, what is empty left out."""
        s = self.summary
        pinned = self.pinned_checkpoints
        copied = ", ".join(map(str, self.copies.steps))
        steps = ", ".join(_(f"{step} (pinned)") if step in pinned else str(step) for step in self.checkpoints)
        rows = [
            (_("state"), state_word(s.state) + (f": {say(s.message)}" if s.message else "")),
            (_("title"), s.title or ""),
            (_("tags"), ", ".join(s.tags)),
            (_("note"), s.note),
            (_("pinned"), _("yes") if s.pinned else ""),
            (_("epoch"), _(f"{s.epoch or 0:.0f} of {s.epochs or 0}")),
            (_(f"validation {metric(s.metric)}"), score(s.val_metric)),
            (_(f"test {metric(s.metric)}"), score(s.test_metric)),
            (_("cluster"), _(f"{s.wants} of {s.cluster}") if s.cluster else ""),
            (_("trained"), seconds(s.elapsed_seconds)),
            (_("started"), moment(s.created)),
            (_("waiting for data"), waiting_words(s.waiting_fraction)),
            (_("hint"), " ".join(map(say, self.hints))),
            (_("comes from"), "; ".join(ancestor_words(each) for each in self.lineage)),
            (_("checkpoints"), _(f"at step {steps}") if steps else _("none")),
            (_("on shared storage"), _(f"at step {copied}, {self.copies.url}") if copied else ""),
            (_("verified"), verified_words(s.verified)),
            (_("on disk"), megabytes(self.num_bytes)),
        ]
        return [(name, value) for name, value in rows if value not in ("", "-")]

    def __str__(self) -> str:
        facts = self.facts()
        width = max(columns(name) for name, value in facts)
        lines = [self.summary.run_id, *(f"  {left(name, width)}  {value}" for name, value in facts)]
        chosen = {name: value for name, value in self.options.items() if value not in (None, "", "auto", {})}
        lines += ["", "  " + _("options"), *(f"  {name} = {value}" for name, value in chosen.items())]
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

    @staticmethod
    def heads() -> tuple[str, ...]:
        """The heads of the columns of `rows`."""
        return heads("place", "run", "state", "priority", "user")

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Place, run, state, priority and whose it is, as text."""
        return [
            (
                str(s.queue_position or "-"),
                s.title or s.run_id,
                self._state(s),
                str(s.priority),
                s.user or "-",
            )
            for s in self.summaries
        ]

    def _state(self, summary: RunSummary) -> str:
        if summary.cluster is not None:
            return _(f"{summary.state}, {summary.wants} of the cluster {summary.cluster}")
        slot = self.slots.get(summary.run_id)
        return _(f"{summary.state} on {slot}") if slot else state_word(summary.state)

    def __str__(self) -> str:
        if not self.summaries:
            return _("The queue is empty: no run waits, none is at work.")
        return table(QueueView.heads(), self.rows())


@dataclass(repr=False)
class GcView(Shown):
    """What could be freed, or what was."""

    plan: GcPlan
    freed_bytes: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**self.plan.to_dict(), "freed_bytes": self.freed_bytes}

    def __str__(self) -> str:
        if self.freed_bytes is not None:
            return _(f"{megabytes(self.freed_bytes)} were freed.")
        if not self.plan.items:
            return say(str(self.plan))
        hint = _("Nothing is gone yet; type %lepton runs gc --apply to free it.")
        return f"{say(str(self.plan))}\n{hint}"


def column_words(name: str) -> str:
    """A column as people read it: "train.learning_rate" is "learning_rate"."""
    known = {"run_id": N_("run"), "data.name": N_("dataset"), "model.name": N_("model")}
    return _(known[name]) if name in known else name.rpartition(".")[2]


_CELLS: dict[str, Callable[[Any], str]] = {
    "elapsed_seconds": seconds,
    _("epoch"): lambda value: f"{value:.1f}",
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
    gone = "" if ancestor.get("exists", True) else _(", which is gone")
    kind, run_id, step = _(ancestor["kind"]), ancestor["run_id"], ancestor["step"]
    return _(f"{kind} from {run_id}, step {step}") + gone + (f" ({changed})" if changed else "")


def verified_words(verified: bool | None) -> str:
    """Whether a replay gave the same network; nothing where none was made."""
    if verified is None:
        return ""
    return _("yes, bit by bit") if verified else _("no: a replay differs")


def waiting_words(fraction: float | None) -> str:
    """How much of its time a run waits for data, where it is worth saying."""
    return "" if fraction is None or fraction < 0.05 else _(f"{fraction:.0%} of the time")


def megabytes(num_bytes: float) -> str:
    """A number of bytes as a person reads it."""
    from lepton_lab.runs.housekeeping import human_bytes

    return human_bytes(num_bytes)
