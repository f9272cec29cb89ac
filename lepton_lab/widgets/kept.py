"""The displays of kept runs: details, comparison, queue, what could be freed."""

from __future__ import annotations

from lepton_lab.session import ComparisonView, GcView, QueueView, RunDetails
from lepton_lab.session.answers import column_words, megabytes
from lepton_lab.widgets.html import Markup, card, facts, note, state_chip, table, tag
from lepton_lab.words import _, heads, say


def details_card(details: RunDetails) -> Markup:
    """All about one run."""
    options = [(column_words(name), value) for name, value in details.options.items() if value not in (None, "", {})]
    pairs = [(name, str(value)) for name, value in options]
    more = tag("details", tag("summary", _(f"{len(pairs)} options")), facts(pairs)) if pairs else ""
    summary = details.summary
    shown = [pair for pair in details.facts() if pair[0] != _("state") or summary.message]
    return card(summary.title or summary.run_id, facts(shown), more, chip=state_chip(summary.state))


def comparison_card(view: ComparisonView) -> Markup:
    """Runs side by side; a cell in which the runs differ stands out."""
    columns = view.shown_columns()
    differing = set(view.comparison.differing())
    rows = [
        [tag("mark", cell) if name in differing else cell for name, cell in zip(columns, row, strict=True)]
        for row in view.text_rows()
    ]
    said = _(f"{len(differing)} options differ") if differing else _("the options are the same")
    return card(_("Comparison"), table([column_words(name) for name in columns], rows, _("Comparison")), aside=said)


def queue_card(view: QueueView) -> Markup:
    """What is at work and what waits."""
    if not view.summaries:
        return card(_("Queue"), note(str(view)))
    return card(_("Queue"), table(QueueView.heads(), view.rows(), _("Queue")))


def gc_card(view: GcView) -> Markup:
    """What could be freed, or what was."""
    if view.freed_bytes is not None or not view.plan.items:
        return card(_("Disk space"), note(str(view)))
    rows = [(item.name, megabytes(item.bytes), say(item.why)) for item in view.plan.items]
    hint = note(_("Nothing is gone yet; to free it: "), tag("code", "%lepton runs gc --apply"))
    return card(
        _("Disk space"),
        table(heads("what", "size", "why"), rows),
        note(say(view.plan.remark)) if view.plan.remark else "",
        hint,
        aside=_(f"{megabytes(view.plan.bytes)} in all"),
    )
