"""The live curve in a real Chromium: how soon a value is to be seen, memory over an hour, frames while zooming, shifts.

The way of a value is measured in JupyterLab, from the moment that it is written to the run's record, as a worker does
20 times a second, to the frame in which the page draws it. Memory and zooming are measured on the widget as it is
shipped, with a model that hands it the kernel's frames as fast as it draws them: one drawn frame for each second of
training.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from lepton_lab.runs import Store
from lepton_lab.runs.events import EventLog
from lepton_lab.runs.record import create_run
from lepton_lab.specs import RunSpec
from tests.benchmarks.rows import Row, row
from tests.browser import servers
from tests.browser.chromium import FLAGS, Watched, find_chromium
from tests.processes import end_processes_of

WIDGET = Path(servers.ROOT) / "lepton_lab" / "widgets" / "static"
SECONDS, PER_SECOND = 15, 20
HOUR, FIRST_MINUTES = 3_600, 360
"""Simulated seconds of training, and when memory is looked at first."""
ZOOMED_POINTS, ZOOM_FRAMES = 1_000_000, 240

WATCH = """() => {
  const figure = document.querySelectorAll('.lp-curve-tab .lp-stat')[1].querySelector('b');
  window.seen = [];
  window.shift = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) window.shift += entry.value;
  }).observe({type: 'layout-shift', buffered: false});
  let last = '';
  const look = () => {
    const text = figure.textContent;
    if (text !== last) {
      last = text;
      window.seen.push([Number(text), (performance.timeOrigin + performance.now()) / 1000]);
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
"""Notes which value the page shows in each drawn frame; text and line are drawn in the same one."""
WIDGET_PAGE = """async source => {
  const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
  const { default: widget } = await import(url);
  const traits = {run_id: 'bench', summary: {run_id: 'bench', state: 'running', epochs: 100000}, locale: 'en'};
  const listeners = [];
  const model = {
    get: name => traits[name], set: () => {}, save_changes: () => {}, send: () => {},
    on: (name, call) => { if (name === 'msg:custom') listeners.push(call); }, off: () => {},
  };
  const el = document.createElement('div');
  el.style.width = '900px';
  document.body.append(el);
  widget.render({model, el});
  let sent = 0;
  window.feed = (count, perEpoch) => {
    const numbers = new Float64Array(count * 4);
    for (let i = 0; i < count; i++) {
      const x = (sent + i) / perEpoch;
      const y = 0.5 + 0.4 * Math.sin(x) + 0.05 * Math.random();
      numbers[i] = numbers[2 * count + i] = x;
      numbers[count + i] = y;
      numbers[3 * count + i] = 1 - y;
    }
    const series = ['train_accuracy', 'train_loss'].map(name => ({name, start: sent, count}));
    sent += count;
    const epoch = sent / perEpoch;
    const summary = {...traits.summary, epoch, step: sent, train_accuracy: 0.5, last_seq: sent};
    const header = {type: 'frame', run_id: 'bench', seq: sent, summary, marks: [], series};
    listeners.forEach(call => call(header, [new DataView(numbers.buffer)]));
  };
  window.frame = () => new Promise(requestAnimationFrame);
}"""
HOUR_OF = """async ([seconds, perSecond]) => {
  for (let second = 0; second < seconds; second++) {
    feed(perSecond, 200);
    await frame();
  }
}"""
ZOOM = """async frames => {
  const chart = document.querySelector('.lp-chart');
  const press = key => chart.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
  const took = [];
  let last = await frame();
  for (let i = 0; i < frames; i++) {
    const turn = i % 40;
    press(turn < 12 ? '+' : turn < 28 ? (turn % 2 ? 'ArrowRight' : 'ArrowLeft') : '-');
    const now = await frame();
    took.push(now - last);
    last = now;
  }
  return took;
}"""


def measure() -> list[Row]:
    """All rows."""
    with sync_playwright() as playwright:
        flags = [*FLAGS, "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=flags)
        try:
            waited, shift = way_of_values(browser)
            grown, nodes = hour(browser)
            frames = zooming(browser)
        finally:
            browser.close()
    slow = statistics.quantiles(waited, n=20)[-1]
    slowest = statistics.quantiles(frames, n=20)[-1]
    return [
        row("workbench", "a value from the record to the pixel, ms, 95 of 100, at 20 a second", [slow], "<= 150"),
        row("workbench", "the same, median, ms", waited, "<= 150"),
        row("workbench", "layout shift while the curve runs", [shift], "<= 0"),
        row("workbench", "browser memory an hour of simulated training adds, MB", [grown], "<= 5"),
        row("workbench", "elements that this hour adds to the page", [nodes], "<= 0"),
        row("workbench", "frames a second while zooming 1,000,000 points, 95 of 100", [1000 / slowest], ">= 30"),
    ]


def way_of_values(browser: Browser) -> tuple[list[float], float]:
    """Milliseconds from each value's writing until the page shows it or a later one, and the shift of the layout."""
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name), Store(Path(name) / "store").prepare()
        (folder / "lab").mkdir()
        spec = RunSpec.parse({"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": 100}})
        run = create_run(store, spec, name="bench")
        server = servers.jupyter("lab", folder / "lab", store.root)
        try:
            with EventLog.open_writer(run.dir) as writer:
                writer.append(
                    "RunStarted", device="cpu", steps_per_epoch=100, steps_total=10_000, learning_rate=0.1, from_step=0
                )
                write = Writer(writer)
                write.value()
                watched = Watched(browser)
                _open_curve(watched.page, server, run.run_id)
                watched.page.evaluate(WATCH)
                thread = threading.Thread(target=write.many)
                thread.start()
                while thread.is_alive():
                    watched.page.wait_for_timeout(200)
                watched.page.wait_for_function("last => seen.at(-1)?.[0] >= last", arg=write.last - 1e-6)
                seen, shift = watched.page.evaluate("() => [seen, shift]")
                watched.close()
                writer.append("RunFailed", reason="bench", message="The measurement is over.")
        finally:
            server.stop()
            end_processes_of(store.root)
    return [ms for value, at in write.written for ms in _waited(value, at, seen)], shift


def _waited(value: float, at: float, seen: list[list[float]]) -> Iterator[float]:
    """The milliseconds until the first frame that shows this value or a later one."""
    yield 1000 * (next(moment for shown, moment in seen if shown >= value - 1e-6) - at)


class Writer:
    """Writes values to a run's record, each greater than the one before and told apart by four digits."""

    def __init__(self, writer: Any) -> None:
        self._writer, self._number = writer, 0
        self.written: list[tuple[float, float]] = []

    @property
    def last(self) -> float:
        """The last value."""
        return self._number / 10_000

    def value(self) -> None:
        """Writes one."""
        self._number += 1
        series = {name: {"step": [self._number], "value": [self.last]} for name in ("train_accuracy", "train_loss")}
        facts = {"samples_per_second": 1e4, "seconds_left": 60.0, "learning_rate": 0.1}
        at = time.time()
        self._writer.append("MetricsRecorded", series=series, step=self._number, epoch=self._number / 100, **facts)
        self._writer.flush()
        self.written.append((self.last, at))

    def many(self) -> None:
        """Writes them, so many a second on the average, each a little early or late."""
        self.written.clear()
        draw = random.Random(0)
        began = time.monotonic()
        for number in range(SECONDS * PER_SECOND):
            due = began + (number + draw.uniform(-0.4, 0.4)) / PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            self.value()


def _open_curve(page: Page, server: servers.Server, run_id: str) -> None:
    """JupyterLab with the run's tab alone."""
    page.goto(server.url("lab/workspaces/bench"))
    page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)", timeout=120_000)
    page.evaluate("run_id => jupyterapp.commands.execute('lepton-lab:open-curve', {run_id})", run_id)
    page.locator(".lp-curve-tab .lp-chart canvas").wait_for()
    page.wait_for_timeout(3_000)


@contextmanager
def _widget(browser: Browser) -> Iterator[Page]:
    """A page with the curve's widget and nothing else."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    try:
        page.goto("data:text/html,<!doctype html><title>bench</title>")
        page.add_style_tag(content=(WIDGET / "curve.css").read_text("utf-8"))
        page.evaluate(WIDGET_PAGE, (WIDGET / "curve.js").read_text("utf-8"))
        yield page
    finally:
        page.close()


def hour(browser: Browser) -> tuple[float, float]:
    """Megabytes and elements that the page has more at the end of an hour than after six minutes."""
    with _widget(browser) as page:
        page.evaluate(HOUR_OF, [FIRST_MINUTES, PER_SECOND])
        before = _use(page)
        page.evaluate(HOUR_OF, [HOUR - FIRST_MINUTES, PER_SECOND])
        after = _use(page)
    return (after[0] - before[0]) / 1e6, after[1] - before[1]


def _use(page: Page) -> tuple[float, float]:
    """Bytes of memory after the garbage is collected, and elements."""
    page.evaluate("() => { gc(); gc(); }")
    found = page.evaluate("() => [performance.memory.usedJSHeapSize, document.querySelectorAll('*').length]")
    return float(found[0]), float(found[1])


def zooming(browser: Browser) -> list[float]:
    """Milliseconds of each frame while a curve of a million points is zoomed and moved by keys."""
    with _widget(browser) as page:
        page.evaluate("([count, perEpoch]) => feed(count, perEpoch)", [ZOOMED_POINTS, 10_000])
        page.evaluate("() => frame().then(frame)")
        return list(page.evaluate(ZOOM, ZOOM_FRAMES))


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    put(measure(), Path("bench.json"))
