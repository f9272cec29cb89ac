"""What `runs`, `endpoints` and `status` return: plain lists that show themselves as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import UnknownName
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import count, moment, score, sparkline, state_word, table
from lepton_lab.words import _, heads

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run


SORTS = ("created", "name", "state", "epoch", "val_metric", "test_metric", "val_loss", "elapsed_seconds")
"""What a list of runs can be sorted by; `val_metric` is the figure that each run is judged by."""
_UPWARDS = ("name", "state", "val_loss")
"""Sorted from the smallest; figures that a run is judged by from the best, the others from the largest."""


def sorted_runs(summaries: list[RunSummary], sort: str | None, reverse: bool = False) -> list[RunSummary]:
    """Runs in another order; those without a value come last, whichever way round.

    Args:
        summaries: The newest first.
        sort: One of `SORTS`; None leaves the order.
        reverse: Whether the order is turned round.

    Raises:
        UnknownName: If runs cannot be sorted by that.
    """
    if sort is None:
        return summaries[::-1] if reverse else summaries
    if sort not in SORTS:
        raise UnknownName("column", sort, SORTS)
    name = "run_id" if sort == "name" else sort
    having = [each for each in summaries if getattr(each, name) is not None]
    missing = [each for each in summaries if getattr(each, name) is None]
    if name.endswith("_metric"):
        having.sort(key=lambda each: getattr(each, name) * (1 if each.higher_is_better else -1), reverse=not reverse)
    else:
        having.sort(key=lambda each: getattr(each, name), reverse=(sort not in _UPWARDS) is not reverse)
    return having + missing


class RunList(Shown):
    """Runs, in the order that was asked for."""

    def __init__(self, summaries: list[RunSummary], session: Session, *, sizes: bool = False) -> None:
        self.summaries, self._session, self.sizes = summaries, session, sizes

    def __len__(self) -> int:
        return len(self.summaries)

    def __iter__(self) -> Iterator[Run]:
        return (self._session.run(summary.run_id) for summary in self.summaries)

    def __getitem__(self, index: int) -> Run:
        return self._session.run(self.summaries[index].run_id)

    def to_dict(self) -> dict[str, Any]:
        runs = [summary.to_dict() for summary in self.summaries]
        if self.sizes:
            runs = [{**run, "bytes": self.num_bytes(run["run_id"])} for run in runs]
        return {"runs": runs}

    def num_bytes(self, run_id: str) -> int:
        """What a run takes on disk, in bytes."""
        from lepton_lab.runs.housekeeping import folder_bytes

        return folder_bytes(self._session.store.run_dir(run_id))

    def __str__(self) -> str:
        if not self.summaries:
            return _("No runs yet. Try: %lepton train --data digits --model cnn")
        from lepton_lab.runs.housekeeping import human_bytes

        has_tags = any(s.tags for s in self.summaries)
        rows = [
            (
                s.run_id + (_(" (pinned)") if s.pinned else ""),
                state_word(s.state),
                f"{s.epoch or 0:.0f}/{s.epochs or 0}",
                score(s.val_metric),
                score(s.test_metric),
                moment(s.created),
                *([human_bytes(self.num_bytes(s.run_id))] if self.sizes else []),
                *([", ".join(s.tags)] if has_tags else []),
                sparkline(s.sparkline),
            )
            for s in self.summaries
        ]
        more = (*((_("disk"),) if self.sizes else ()), *((_("tags"),) if has_tags else ()))
        return table((*heads("run", "state", "epoch", "validation", "test", "started"), *more, _("curve")), rows)


class EndpointList(Shown):
    """Endpoints by name."""

    def __init__(self, summaries: list[Any]) -> None:
        self.summaries = summaries

    def __len__(self) -> int:
        return len(self.summaries)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.summaries)

    def to_dict(self) -> dict[str, Any]:
        return {"endpoints": [summary.to_dict() for summary in self.summaries]}

    def __str__(self) -> str:
        if not self.summaries:
            return _("No endpoints yet. Try: %lepton deploy --name digits")
        rows = [
            (
                s.name,
                state_word(s.state),
                f"v{s.version}",
                count(s.requests),
                "-" if s.p95_ms is None else f"{s.p95_ms:.1f} ms",
                s.url or "-",
            )
            for s in self.summaries
        ]
        return table(heads("endpoint", "state", "version", "requests", "p95", "address"), rows)


@dataclass(repr=False)
class Status(Shown):
    """What is loaded, what is running and what is online."""

    dataset: str | None
    model: str | None
    runs: RunList
    endpoints: EndpointList
    store: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "model": self.model,
            "store": self.store,
            **self.runs.to_dict(),
            **self.endpoints.to_dict(),
        }

    def __str__(self) -> str:
        return "\n".join(
            [
                _(f"dataset: {self.dataset or _('none yet')}"),
                _(f"model: {self.model or _('none yet')}"),
                "",
                str(self.runs),
                "",
                str(self.endpoints),
            ]
        )


@dataclass(repr=False)
class Asked(Shown):
    """What a run was asked to do; it answers in its own history, and wherever it is shown live."""

    run: Run
    what: str

    def to_dict(self) -> dict[str, Any]:
        return self.run.to_dict()

    def __str__(self) -> str:
        return _(f"{self.run.id} was asked to {self.what}.")


@dataclass(repr=False)
class StudioView(Shown):
    """The studio of a session; the widgets show it."""

    session: Session
    public: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"studio": True}

    def __str__(self) -> str:
        return _("The studio is a form in a notebook: open one and type %lepton studio.")
