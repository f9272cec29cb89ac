"""The displays of kept runs: details, comparison, queue, what could be freed."""

from __future__ import annotations

from lepton_lab.session import ComparisonView, GcView, QueueView, RunDetails
from lepton_lab.session.answers import column_words, megabytes
from lepton_lab.widgets.html import Markup, card, facts, note, state_chip, table, tag


def details_card(details: RunDetails) -> Markup:
    """All about one run."""
    options = [(column_words(name), value) for name, value in details.options.items() if value not in (None, "", {})]
    pairs = [(name, str(value)) for name, value in options]
    more = tag("details", tag("summary", f"{len(pairs)} options"), facts(pairs)) if pairs else ""
    summary = details.summary
    shown = [pair for pair in details.facts() if pair[0] != "state" or summary.message]
    return card(summary.title or summary.run_id, facts(shown), more, chip=state_chip(summary.state))


def comparison_card(view: ComparisonView) -> Markup:
    """Runs side by side; a cell in which the runs differ stands out."""
    columns = view.shown_columns()
    differing = set(view.comparison.differing())
    rows = [
        [tag("mark", cell) if name in differing else cell for name, cell in zip(columns, row, strict=True)]
        for row in view.text_rows()
    ]
    said = f"{len(differing)} options differ" if differing else "the options are the same"
    return card("Comparison", table([column_words(name) for name in columns], rows, "Comparison"), aside=said)


def queue_card(view: QueueView) -> Markup:
    """What is at work and what waits."""
    if not view.summaries:
        return card("Queue", note(str(view)))
    return card("Queue", table(("place", "run", "state", "priority", "user"), view.rows(), "Queue"))


def gc_card(view: GcView) -> Markup:
    """What could be freed, or what was."""
    if view.freed_bytes is not None or not view.plan.items:
        return card("Disk space", note(str(view)))
    rows = [(item.name, megabytes(item.bytes), item.why) for item in view.plan.items]
    hint = note("Nothing is gone yet; to free it: ", tag("code", "%lepton runs gc --apply"))
    return card("Disk space", table(("what", "size", "why"), rows), hint, aside=f"{megabytes(view.plan.bytes)} in all")
