"""The displays of several runs and endpoints, and of what a session holds."""

from __future__ import annotations

from typing import Any

from lepton_lab.session import EndpointList, RunList, Status
from lepton_lab.session.answers import megabytes
from lepton_lab.session.texts import count, moment, score, seconds
from lepton_lab.widgets.html import Markup, card, facts, join, note, state_chip, table, tag
from lepton_lab.widgets.picture import spark_svg
from lepton_lab.words import _, heads, say


def runs_card(runs: RunList) -> Markup:
    """Runs as a table with their course."""
    if not len(runs):
        return card(_("Runs"), note(_("No runs yet. Try: "), tag("code", "%lepton train --data digits --model cnn")))
    rows = [
        (
            run_name(s),
            state_chip(s.state),
            _(f"{s.epoch or 0:.0f} of {s.epochs or 0}"),
            score(s.val_metric),
            score(s.test_metric),
            seconds(s.elapsed_seconds),
            moment(s.created),
            *([megabytes(runs.num_bytes(s.run_id))] if runs.sizes else []),
            Markup(spark_svg(s.sparkline)),
        )
        for s in runs.summaries
    ]
    names = heads("run", "state", "epoch", "validation", "test", "trained", "started")
    head = (*names, *([_("disk")] if runs.sizes else []), "")
    return card(_("Runs"), table(head, rows, _("Runs")), *_messages(runs.summaries), aside=_(f"{len(rows)} shown"))


def run_name(summary: Any) -> Markup:
    """A run's title and name, with its tags and its pin."""
    name = tag("b", summary.title) if summary.title else summary.run_id
    under = [summary.run_id] if summary.title else []
    under += [_("pinned")] if summary.pinned else []
    under += [f"#{each}" for each in summary.tags]
    return join([name, tag("div", " · ".join(under), cls="lepton-under")]) if under else join([name])


def endpoints_card(endpoints: EndpointList) -> Markup:
    """Endpoints as a table."""
    if not len(endpoints):
        return card(_("Endpoints"), note(_("No endpoints yet. Try: "), tag("code", "%lepton deploy --name digits")))
    rows = [
        (
            s.name,
            state_chip(s.state),
            _(f"version {s.version}"),
            count(s.requests),
            "-" if s.p95_ms is None else f"{s.p95_ms:.1f} ms",
            tag("code", s.url or "-"),
        )
        for s in endpoints.summaries
    ]
    head = heads("endpoint", "state", "", "requests", "p95", "address")
    return card(_("Endpoints"), table(head, rows, _("Endpoints")), *_messages(endpoints.summaries))


def status_card(status: Status) -> Markup:
    """What is loaded, running and online."""
    loaded = facts(
        [
            (_("dataset"), status.dataset or _("none yet")),
            (_("model"), status.model or _("none yet")),
            (_("store"), tag("code", status.store)),
        ]
    )
    return join([card(_("Session"), loaded), runs_card(status.runs), endpoints_card(status.endpoints)])


def _messages(summaries: list[Any]) -> list[Markup]:
    failed = [s for s in summaries if str(s.state) == "failed" and s.message]
    return [note(f"{getattr(s, 'run_id', None) or s.name}: {say(s.message)}", tone="bad") for s in failed[:5]]
