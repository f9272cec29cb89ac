"""The JupyterLab panel with 2,000 runs in a real Chromium: how soon the list is there, whether it scrolls and answers.

One of the runs trains meanwhile, so that the list changes all the time, as it does when somebody looks at it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from lepton_lab.runs import Store
from lepton_lab.runs.record import submit
from lepton_lab.specs import RunSpec
from tests.benchmarks.rows import Row, row
from tests.benchmarks.stores import NUM_RUNS, fill
from tests.browser import servers
from tests.browser.chromium import FLAGS, Watched, find_chromium
from tests.processes import end_processes_of

PATIENCE_MS = 120_000
SCROLL_PIXELS = 100
"""How far the list is scrolled with each frame: 6,000 pixels a second, a hard turn of the wheel."""
WORDS = ("copy-19", "finished digits", "copy-1234", "nothing has this name")
"""What is typed into the search field, letter by letter."""

FIRST_LIST = """
const ready = setInterval(() => {
  if (window.jupyterapp?.shell) {
    clearInterval(ready);
    window.jupyterapp.shell.restored.then(() => { window.labReady = performance.now(); });
  }
}, 5);
new MutationObserver(() => {
  if (!window.boardShown && document.querySelector('.lp-panel .lp-row')) {
    window.boardShown = performance.now();
  }
}).observe(document, { childList: true, subtree: true });
"""
SHOW_OLDEST = """async () => {
  const more = document.querySelector('.lp-rows + .lp-more');
  const took = [];
  let last = await new Promise(requestAnimationFrame);
  while (!more.hidden) {
    more.click();
    const now = await new Promise(requestAnimationFrame);
    took.push(now - last);
    last = now;
  }
  return took;
}"""
SCROLL = """async ([frames, pixels]) => {
  let box = document.querySelector('.lp-rows');
  while (!(box.scrollHeight > box.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(box).overflowY))) {
    box = box.parentElement;
  }
  const took = [];
  let way = pixels;
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < frames; i++) {
    if (box.scrollTop + box.clientHeight + pixels > box.scrollHeight) {
      way = -pixels;
    } else if (box.scrollTop < pixels) {
      way = pixels;
    }
    box.scrollTop += way;
    const now = await new Promise(requestAnimationFrame);
    took.push(now - last);
    last = now;
  }
  return took;
}"""
TYPE = """async words => {
  const field = document.querySelector('.lp-search-words');
  const took = [];
  for (const word of words) {
    for (let length = 1; length <= word.length; length++) {
      await new Promise(requestAnimationFrame);
      const began = performance.now();
      field.value = word.slice(0, length);
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
      await new Promise(requestAnimationFrame);  // the list is drawn with this frame
      await new Promise(done => setTimeout(done));
      took.push(performance.now() - began);
    }
  }
  field.value = '';
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  return took;
}"""


def measure() -> list[Row]:
    """The rows of the panel; none where there is no Chromium."""
    if find_chromium() is None:
        print("the panel is left out: there is no Chromium here", file=sys.stderr)
        return []
    with _page() as page:
        shown = [_first_list(page) for _ in range(3)]
        typed = page.evaluate(TYPE, list(WORDS))
        turned = page.evaluate(SHOW_OLDEST)
        scrolled = page.evaluate(SCROLL, [240, SCROLL_PIXELS])
    said = f"panel with {NUM_RUNS:,} runs, one at work"
    return [
        row("runs", f"{said}: from JupyterLab being ready to the list, seconds", shown, "< 1.0"),
        row("runs", f"{said}: from a letter in the search to the drawn list, ms, 95 of 100", [_p95(typed)], "<= 100"),
        row("runs", f"{said}: a frame while it scrolls, ms, 95 of 100", [_p95(scrolled)], "<= 34"),
        row("runs", f"{said}: from a press on 'show more' to the rows, ms, 95 of 100", [_p95(turned)], "<= 100"),
    ]


def _p95(samples: list[float]) -> float:
    return sorted(samples)[int(0.95 * (len(samples) - 1))]


def _first_list(page: Page) -> float:
    """Seconds from the moment at which JupyterLab is ready to the panel's first row; 0 where that was there before."""
    page.reload()
    page.wait_for_function("() => window.labReady && window.boardShown", timeout=PATIENCE_MS)
    _open_panel(page)
    return float(page.evaluate("() => Math.max(0, window.boardShown - window.labReady) / 1000"))


def _open_panel(page: Page) -> None:
    page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)", timeout=PATIENCE_MS)
    panel = page.locator(".lp-panel")
    if not panel.is_visible():
        page.locator(".jp-SideBar .lm-TabBar-tab[data-id='lepton-lab-sidebar']").click()
    expect(panel.locator(".lp-row").first).to_be_visible(timeout=PATIENCE_MS)


@contextmanager
def _page() -> Iterator[Page]:
    """JupyterLab on a store of 2,000 runs, one of them a training that goes on, with its panel open."""
    spec: dict[str, Any] = {"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": 100_000}}
    with tempfile.TemporaryDirectory(prefix="lepton-bench-", ignore_cleanup_errors=True) as folder:
        store = Store(Path(folder) / "store").prepare()
        (Path(folder) / "lab").mkdir()
        fill(store, NUM_RUNS - 1)
        run = submit(store, RunSpec.parse(spec), name="at-work")
        server = servers.jupyter("lab", Path(folder) / "lab", store.root)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
                watched = Watched(browser)
                watched.page.add_init_script(FIRST_LIST)
                watched.page.goto(server.url("lab/workspaces/many"))
                _open_panel(watched.page)
                at_work = watched.page.locator(".lp-row", has_text=run.run_id)
                expect(at_work).to_have_attribute("data-state", "running", timeout=PATIENCE_MS)
                yield watched.page
                watched.close()
                browser.close()
        finally:
            server.stop()
            end_processes_of(store.root)


if __name__ == "__main__":
    from tests.benchmarks.rows import put

    put(measure(), Path("bench.json"))
