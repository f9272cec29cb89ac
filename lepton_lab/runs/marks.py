"""Marks on a run's time axis: what somebody watching the curve wants explained."""

from __future__ import annotations

from typing import Any

from lepton_lab.runs.lines import Event
from lepton_lab.runs.summary import Fold
from lepton_lab.words import N_, told

_BY = {"RunPaused": "paused", "RunResumed": "resumed", "RunStopped": "stopped"}
_STAYING = {"restarted", "warning"}
_SENTENCES = {"restarted", "failed", "warning"}
"""Kinds of marks whose text is a sentence; a page has words of its own for the others."""


def mark_of(event: Event, fold: Fold) -> dict[str, Any] | None:
    """The mark that an event leaves, or None.

    Args:
        event: The event.
        fold: The run's fold with the event applied.

    Returns:
        `{step, epoch, text, kind}`; kind is "learning_rate", "paused", "resumed", "restarted", "stopped", "failed" or
        "warning".
    """
    kind, text = _describe(event)
    if kind is None:
        return None
    step = event.get("step")
    step = fold.step if step is None else int(step)
    return {"step": step, "epoch": _epoch(step, fold), "text": text, "kind": kind}


def page_mark(mark: dict[str, Any]) -> dict[str, Any]:
    """A mark for a page: with its sentence in the languages that know it (`said`), where it is one."""
    return told(mark, "text") if mark["kind"] in _SENTENCES else mark


def cut_mark(mark: dict[str, Any], step: int, fold: Fold) -> dict[str, Any] | None:
    """What is left of a mark when the run goes back to a step: what was undone goes, a mishap stays."""
    if mark["step"] <= step:
        return mark
    return {**mark, "step": step, "epoch": _epoch(step, fold)} if mark["kind"] in _STAYING else None


def _describe(event: Event) -> tuple[str | None, str]:
    event_type, by = event["type"], event.get("by")
    if event_type == "LearningRateChanged":
        return "learning_rate", f"learning rate {_plain(event.get('old'))} → {_plain(event.get('new'))}"
    if event_type in _BY:
        kind = _BY[event_type]
        return kind, f"{kind} by {by}" if by else kind
    if event_type == "RunRestarted":
        from_step, why = event.get("from_step", 0), event.get("message") or event.get("reason")
        return "restarted", N_(f"restarted from step {from_step}: {why}")
    if event_type == "RunQueued" and event.get("resumed"):
        return "resumed", f"resumed by {by}" if by else "resumed"
    if event_type == "RunPreempted":
        return "paused", f"made room for {event.get('for') or 'a run of higher priority'}"
    if event_type == "RunFailed":
        return "failed", str(event.get("message") or event.get("reason") or "failed")
    if event_type in ("CheckpointBroken", "WarningRaised"):
        return "warning", str(event.get("message", ""))
    return None, ""


def _epoch(step: int, fold: Fold) -> float:
    return step / fold.steps_per_epoch if fold.steps_per_epoch else fold.summary().epoch


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else "?"
