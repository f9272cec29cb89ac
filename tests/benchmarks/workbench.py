"""The workbench's figures: what an update costs the kernel, a viewer's kernel in bytes, a dashboard's first sight."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.rows import Row, row

HISTORY = 10_000
UPDATES = 60
POINTS = 20
"""New points of an update, as a worker writes them in a second of small steps."""


def measure() -> list[Row]:
    """All rows."""
    return [*_updates(), *_monitor_memory(), *_dashboards(), *_pixels()]


def _milliseconds(update: Callable[[int], object], updates: int = UPDATES) -> list[float]:
    """Processor milliseconds of each of some updates."""
    taken = []
    for number in range(updates):
        began = time.process_time_ns()
        update(number)
        taken.append((time.process_time_ns() - began) / 1e6)
    return taken


def live_updates(history: int) -> list[float]:
    """What the live curve's updates take behind so many points: events taken in, a frame made and handed over."""
    from lepton_lab.runs import Curve, FrameSender

    curve = Curve("bench")
    steps_per_epoch = 500
    start = {"type": "RunStarted", "steps_per_epoch": steps_per_epoch, "steps_total": 10**7, "from_step": 0}
    curve.apply({"seq": 1, "time": 0.0, "type": "RunQueued", "run_id": "bench", "epochs": 1000})
    curve.apply({"seq": 2, "time": 0.0, **start})

    def points(first: int, count: int, seq: int) -> dict[str, object]:
        steps = list(range(first, first + count))
        series = {name: {"step": steps, "value": [0.5] * count} for name in ("train_loss", "train_accuracy")}
        return {
            "seq": seq,
            "time": 1.0,
            "type": "MetricsRecorded",
            "series": series,
            "step": steps[-1],
            "epoch": steps[-1] / steps_per_epoch,
            "samples_per_second": 1e4,
            "seconds_left": 1.0,
            "learning_rate": 0.01,
        }

    curve.apply(points(1, history, 3))
    sender = FrameSender(curve)
    sender.hello()
    sender.next()
    sent: list[int] = []

    def update(number: int) -> None:
        curve.apply(points(history + 1 + number * POINTS, POINTS, 4 + number))
        frame = sender.next()
        assert frame is not None
        sent.append(len(frame[1]))

    return _milliseconds(update)


def plotly_updates(history: int, *, numpy_fed: bool) -> list[float]:
    """The same points in a Plotly FigureWidget, whole lines set anew as its documentation does."""
    import numpy
    import plotly.graph_objects as go

    make = numpy.asarray if numpy_fed else list
    figure = go.FigureWidget([go.Scatter(x=make([0.0]), y=make([0.0])) for _ in range(2)])
    x, y = [step / 500 for step in range(history)], [0.5] * history

    def update(number: int) -> None:
        x.extend((history + number * POINTS + each) / 500 for each in range(POINTS))
        y.extend([0.5] * POINTS)
        with figure.batch_update():
            for trace in figure.data:
                trace.x, trace.y = make(x), make(y)

    return _milliseconds(update, 12)


def _updates() -> list[Row]:
    ours = live_updates(HISTORY)
    lists, arrays = plotly_updates(HISTORY, numpy_fed=False), plotly_updates(HISTORY, numpy_fed=True)
    own = statistics.median(ours)
    flat = statistics.median(live_updates(1_000_000)) / statistics.median(live_updates(1_000))
    as_list = round(statistics.median(lists) / own, 1)
    as_array = round(statistics.median(arrays) / own, 1)
    return [
        row("workbench", "update of the live curve at 10,000 points, processor ms", ours, "<= 0.2"),
        row("workbench", "a list-fed Plotly FigureWidget costs so many times more", [as_list], ">= 100"),
        row("workbench", "a numpy-fed Plotly FigureWidget costs so many times more", [as_array], ">= 20"),
        row("workbench", "an update at 1,000,000 points, times one at 1,000", [flat], "<= 1.5"),
    ]


def monitor_kernel(store: Path) -> tuple[float, bool]:
    """Megabytes of a kernel that runs the monitor's notebook on a store, and whether torch is in it."""
    import nbformat
    from jupyter_client.manager import start_new_kernel

    from tests.tools.gallery import NOTEBOOKS

    source = nbformat.read(NOTEBOOKS / "dashboards" / "monitor.ipynb", as_version=4).cells[0].source
    ask = "\nimport sys, pathlib; print('torch' in sys.modules, pathlib.Path('/proc/self/status').read_text())"
    manager, client = start_new_kernel(env={**os.environ, "LEPTON_HOME": str(store)})
    try:
        said: list[str] = []
        client.execute_interactive(
            source + ask,
            timeout=120,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
        text = "".join(said)
        resident = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(resident.split()[1]) / 1000, text.startswith("True")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _monitor_memory() -> list[Row]:
    with tempfile.TemporaryDirectory() as store:
        megabytes, torch = monitor_kernel(Path(store))
    return [
        row("workbench", "kernel of a run monitor's viewer, MB", [megabytes], "<= 120"),
        row("workbench", "torch in a viewer's kernel", [float(torch)], "<= 0"),
    ]


def first_sight(*, preheated: bool, visits: int = 3) -> list[float]:
    """Seconds from the request of the studio's page until its first button can be pressed."""
    from playwright.sync_api import sync_playwright

    from tests.browser import servers
    from tests.browser.chromium import FLAGS, find_chromium
    from tests.processes import end_processes_of

    taken = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "page").mkdir()
        flags = () if preheated else ("--preheat_kernel=False",)
        server = servers.dashboard(Path(folder) / "page", Path(folder) / "store", *flags)
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        try:
            for _ in range(visits):
                if preheated:
                    time.sleep(10)  # a pool of one is filled anew some seconds behind each visit
                page = browser.new_page()
                began = time.monotonic()
                page.goto(server.url())
                page.locator(".lp-studio").get_by_role("button", name="Load data").first.wait_for()
                taken.append(time.monotonic() - began)
                page.close()
        finally:
            browser.close()
            server.stop()
            end_processes_of(Path(folder) / "store")
    return taken


def _dashboards() -> list[Row]:
    from tests.browser.chromium import find_chromium

    if find_chromium() is None:
        print("no Chromium here: the dashboards' first sight is not measured")
        return []
    return [
        row("workbench", "studio in Voila from request to usable, preheated, s", first_sight(preheated=True), "<= 1.5"),
        row("workbench", "the same without a preheated kernel, s", first_sight(preheated=False), "<= 5"),
    ]


def _pixels() -> list[Row]:
    from tests.browser.chromium import find_chromium

    if find_chromium() is None:
        print("no Chromium here: the curve in a browser is not measured")
        return []
    from tests.benchmarks import pixels

    return pixels.measure()


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    put(measure(), Path("bench.json"))
