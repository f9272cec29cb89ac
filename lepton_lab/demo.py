"""`lepton-lab demo`: the whole way once, from a dataset to an answer over HTTP, with the figures that matter."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import SpecError
from lepton_lab.session import Session
from lepton_lab.session.shown import Shown
from lepton_lab.verbs import parse
from lepton_lab.verbs.options import Option, find
from lepton_lab.words import _

if TYPE_CHECKING:
    from lepton_lab.runs import RunSummary
    from lepton_lab.session import Run

_OPTIONS = (
    Option("model", str, "The network", default="cnn", choices=("cnn", "rnn")),
    Option("epochs", int, "Passes over the training rows", default=20),
    Option("name", str, "The endpoint's name", default="demo"),
    Option("keep", bool, "Leave the endpoint online", default=False),
)


def help_text() -> str:
    """The demo's help, in the reader's language."""
    about = _(
        "Loads digits, trains a network in a process of its own, evaluates it, puts it online and asks it over HTTP."
    )
    values = {"model": "cnn|rnn", "epochs": "N", "name": "TEXT"}
    rows = [(f"{option.flag} {values.get(option.name, '')}", _(option.help)) for option in _OPTIONS]
    rows.append(("--json", _("One JSON object as the last line")))
    return "\n".join(
        [
            "lepton-lab demo " + _("[options]"),
            "",
            about,
            "",
            _("Options"),
            *(f"  {left:<20} {help}" for left, help in rows),
        ]
    )


@dataclass
class LiveWatch:
    """Watches a run from outside, as a viewer does: when the first point came, how many updates there were."""

    started: float = field(default_factory=time.monotonic)
    first_point_seconds: float | None = None
    updates: int = 0

    def __call__(self, summary: RunSummary) -> None:
        """Takes note of a summary that has changed."""
        if summary.train_accuracy is None:
            return
        self.updates += 1
        if self.first_point_seconds is None:
            self.first_point_seconds = time.monotonic() - self.started


class DemoResult(Shown):
    """What the demo found."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return self.values

    def __str__(self) -> str:
        width = max(map(len, self.values))
        return "\n".join(f"{key:<{width}}  {value}" for key, value in self.values.items())


def demo_from_words(words: list[str]) -> DemoResult:
    """Runs the demo with the options of a command line.

    Raises:
        SpecError: If an option is unknown or wrong.
    """
    values: dict[str, Any] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        found = find(_OPTIONS, word)
        if found is None:
            raise SpecError(f"demo has no option {word}. Type lepton-lab demo --help to see its options.")
        option, off = found
        if option.kind is bool:
            values[option.name] = not off
        elif words:
            values[option.name] = option.read(words.pop(0), "demo")
        else:
            raise SpecError(f"demo: {option.flag} needs a value ({option.help}).")
    return demo(**values)


def demo(
    *, model: str = "cnn", epochs: int = 20, name: str = "demo", keep: bool = False, session: Session | None = None
) -> DemoResult:
    """The whole way once on digits.

    Args:
        model: "cnn" or "rnn".
        epochs: Passes over the training rows.
        name: The endpoint's name.
        keep: Whether the endpoint stays online.
        session: Where; by default a new session on the user's store.
    """
    session = session or Session(who="demo")
    dataset = _perform(session, "data digits")
    _perform(session, f"model {model}")
    watch, start = LiveWatch(), time.monotonic()
    run: Run = _perform(session, f"train --epochs {epochs} --no-wait")
    with session.waiting(run) as line:

        def follow(summary: RunSummary) -> None:
            watch(summary)
            if line:
                line(summary)

        run.wait(watch=follow)
    train_seconds = time.monotonic() - start
    report = run.evaluate()
    endpoint = _perform(session, f"deploy {run.id} --name {name}")
    try:
        prediction = _perform(session, f"predict {name} --row 0")
        values = {
            "dataset": dataset.name,
            "model": model,
            "run_id": run.id,
            "test_accuracy": report.accuracy,
            "first_point_seconds": round(watch.first_point_seconds or train_seconds, 3),
            "train_seconds": round(train_seconds, 3),
            "live_updates": watch.updates,
            "endpoint": name,
            "endpoint_url": endpoint.url,
            "prediction": prediction.label,
            "prediction_correct": bool(prediction.correct),
            "predict_milliseconds": round(prediction.milliseconds, 2),
            "endpoint_state": "ready" if keep else "stopped",
        }
    finally:
        if not keep:
            endpoint.stop()
    return DemoResult(values)


def _perform(session: Session, line: str) -> Any:
    print(f"> lepton-lab {line}", file=sys.stderr, flush=True)
    return parse(line).perform(session)
