"""What the way from a dataset to an endpoint costs: the extension, the first live point, the accuracy reached."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from lepton_lab.runs import RunSummary, Store
from lepton_lab.session import Run, Session
from tests.benchmarks.peers import tutorial_figures
from tests.benchmarks.rows import Row, row

SEEDS = (0, 1, 2)
LOAD_EXT = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "lepton_lab")
print(time.perf_counter() - start, int("torch" in sys.modules))
"""


@contextlib.contextmanager
def fresh_session() -> Iterator[Session]:
    """A session on a store of its own; its processes are ended with it."""
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as folder:
        session = Session(store=Store(folder).prepare(), who="bench")
        try:
            yield session
        finally:
            for process in _processes(folder):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    process.wait(5)


def _processes(folder: str, word: str = "") -> list[psutil.Process]:
    """The processes that were started for a store."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if folder in line and any(word in part for part in line):
                found.append(process)
    return found


def load_extension(repeats: int = 5) -> list[Row]:
    """`%load_ext lepton_lab` in fresh processes."""
    found = [
        subprocess.run([sys.executable, "-c", LOAD_EXT], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(repeats)
    ]
    return [
        row("spine", "%load_ext lepton_lab, seconds", [float(each[0]) for each in found], "< 0.5"),
        row("spine", "%load_ext lepton_lab imports torch (0: no)", [float(each[1]) for each in found], "== 0"),
    ]


def _first_point_seconds(session: Session) -> float:
    """Seconds from `train` to the first training accuracy that a viewer can see."""
    start = time.perf_counter()
    run = session.current_model().train(epochs=20, wait=False)
    seen: list[float] = []

    def watch(summary: RunSummary) -> None:
        if summary.train_accuracy is not None and not seen:
            seen.append(time.perf_counter() - start)

    run.wait(timeout=120, watch=watch)
    return seen[0]


def _await_spare(session: Session) -> None:
    """Waits until the spare worker has done its imports and sits idle."""
    deadline = time.monotonic() + 60
    used = -1.0
    while time.monotonic() < deadline:
        for process in _processes(str(session.store.root), "--spare"):
            with contextlib.suppress(psutil.Error):
                now = sum(process.cpu_times()[:2])
                if now > 1.0 and now == used:
                    return
                used = now
        time.sleep(0.5)  # the interval over which the spare must have used no processor time
    raise TimeoutError("No spare worker became ready within 60 s.")


def first_point(repeats: int = 3) -> list[Row]:
    """The first live point, without and with the warm worker."""
    cold, warm = [], []
    for _ in range(repeats):
        with fresh_session() as session:
            session._warm_up = lambda: None  # type: ignore[method-assign]
            session.load_data("digits")
            session.select_model("cnn")
            cold.append(_first_point_seconds(session))
        with fresh_session() as session:
            session.load_data("digits")
            session.select_model("cnn")
            _await_spare(session)
            warm.append(_first_point_seconds(session))
    return [
        row("spine", "first live point after train, warm worker, seconds", warm, "<= 2.0"),
        row("spine", "first live point after train, no warm worker, seconds", cold, "<= 6.0"),
    ]


def _train(session: Session, data: dict[str, Any], model: str, **train: Any) -> tuple[Run, float, float]:
    """The run, its seconds of training and its test accuracy."""
    session.load_data(data["name"], **{k: v for k, v in data.items() if k != "name"})
    session.select_model(model)
    run = session.current_model().train(wait=True, **train)
    report = run.evaluate()
    seconds = run.summary.elapsed_seconds
    print(f"  {data['name']} {model} {train}: test accuracy {report.accuracy:.4f} in {seconds:.1f} s", flush=True)
    return run, seconds, report.accuracy


def accuracies() -> list[Row]:
    """Test accuracy and training time with the options that the product chooses itself; the tutorial loop beside it."""
    jobs: list[tuple[dict[str, Any], str, dict[str, Any], str, str]] = [
        ({"name": "digits"}, "cnn", {"epochs": 20}, ">= 0.98", "< 30"),
        ({"name": "digits"}, "rnn", {"epochs": 20}, ">= 0.96", "report"),
    ]
    mirror = Path(os.environ.get("LEPTON_TEST_DATA", "../shared/data"))
    if (mirror / "fashion-mnist").is_dir():
        data = {"name": "fashion-mnist", "mirror": str(mirror.resolve())}
        jobs.append((data, "cnn", {"epochs": 3}, ">= 0.91", "report"))
    else:
        print(f"fashion-mnist is left out: {mirror} is not there (set LEPTON_TEST_DATA)", file=sys.stderr)
    rows = []
    for data, model, options, goal, time_goal in jobs:
        with fresh_session() as session:
            done = [_train(session, data, model, seed=seed, **options) for seed in SEEDS]
            run, ours = done[-1][0], sorted(each[1] for each in done)[len(done) // 2]
            peer_seconds, peer_accuracy = tutorial_figures(run, epochs=options["epochs"])
        said = f"{data['name']} {model}, {options['epochs']} epochs"
        peer = {"tutorial_loop": round(peer_accuracy, 4)}
        rows.append(row("spine", f"{said}: test accuracy", [each[2] for each in done], goal, **peer))
        peer = {"tutorial_loop": round(peer_seconds, 2), "times_faster": round(peer_seconds / ours, 2)}
        rows.append(row("spine", f"{said}: seconds of training", [each[1] for each in done], time_goal, **peer))
    return rows


def measure() -> list[Row]:
    """All rows of the spine."""
    return [*load_extension(), *first_point(), *accuracies()]
