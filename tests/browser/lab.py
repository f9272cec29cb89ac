"""JupyterLab and Notebook 7 as a person uses them: open a notebook, run it, look at a cell's output."""

from __future__ import annotations

import secrets
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.chromium import Watched
from tests.browser.servers import Server

OPEN_MS = 120_000
RUN_MS = 120_000
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

APP = "(window.jupyterapp ?? window.jupyterlab)"
NOTEBOOK = f"{APP}?.shell?.currentWidget"
READY = f"""() => {{
  const panel = {NOTEBOOK};
  const kernel = panel?.sessionContext?.session?.kernel;
  return panel?.context?.isReady && kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}}"""
FIND = f"""({NOTEBOOK}?.content?.widgets?.findIndex(cell =>
  cell.model.type === 'code' && cell.model.sharedModel.getSource().includes(text)) ?? -1)"""


class NotebookPage:
    """One notebook, open in Lab or in Notebook 7.

    Args:
        watched: The browser's page.
        server: Where it is served.
        path: The notebook, relative to the server's folder.
        app: "lab" or "notebook".
    """

    def __init__(self, watched: Watched, server: Server, path: str, app: str = "lab") -> None:
        self.watched, self.page, self.path = watched, watched.page, path
        # A workspace of its own: a new page would else open what the page before it had open.
        folder = f"lab/workspaces/{secrets.token_hex(4)}/tree/" if app == "lab" else "notebooks/"
        self._url = server.url(folder + path)

    def open(self) -> NotebookPage:
        """Loads the page and waits until the kernel is ready."""
        self.page.goto(self._url)
        self.wait_ready()
        return self

    def wait_loaded(self, source: str) -> None:
        """Waits until the notebook shows the cell with this text, whatever its kernel does."""
        self.page.wait_for_function(f"text => {FIND} >= 0", arg=source, timeout=OPEN_MS)

    def wait_ready(self) -> None:
        """Waits until the notebook is there and its kernel is idle."""
        self.page.wait_for_function(READY, timeout=OPEN_MS)

    def command(self, name: str, **arguments: Any) -> None:
        """Executes a command of the application, as its menu would."""
        self.page.evaluate(f"([name, args]) => {APP}.commands.execute(name, args)", [name, arguments])

    def run_all(self) -> None:
        """Runs every cell; returns when the last one has ended."""
        self.page.evaluate("() => { delete window.allHaveRun; }")
        self.page.evaluate(
            f"() => {{ {APP}.commands.execute('notebook:run-all-cells').then(() => {{ window.allHaveRun = true; }}); }}"
        )
        self.page.wait_for_function("() => window.allHaveRun", timeout=RUN_MS)
        self.wait_ready()

    def find_cell(self, source: str) -> int:
        """The number of the first code cell whose source has this text."""
        index = int(self.page.evaluate(f"text => {FIND}", source))
        assert index >= 0, f"no cell has {source!r}"
        return index

    def show(self, source: str) -> Locator:
        """Scrolls to the first code cell whose source has this text, and returns it."""
        index = self.find_cell(source)
        script = f"""async index => {{
          const content = {NOTEBOOK}.content;
          content.activeCellIndex = index;
          await content.scrollToItem(index, 'start');
        }}"""
        self.page.evaluate(script, index)
        cell = self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')
        expect(cell).to_be_visible()
        return cell

    def add_and_run(self, source: str) -> Locator:
        """Adds a cell at the end, starts it and returns it while it works."""
        script = f"""source => {{
          const content = {NOTEBOOK}.content;
          const last = content.model.cells.length;
          content.model.sharedModel.insertCell(last, {{cell_type: 'code', source}});
          content.activeCellIndex = last;
        }}"""
        self.page.evaluate(script, source)
        self.page.evaluate(f"() => {{ {APP}.commands.execute('notebook:run-cell'); }}")
        return self.show(source)

    def restart_kernel(self) -> None:
        """Restarts the kernel, without the question."""
        self.page.evaluate(f"() => {NOTEBOOK}.sessionContext.restartKernel()")
        self.wait_ready()

    def shut_kernel_down(self) -> None:
        """Ends the kernel for good."""
        self.page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")

    def save(self) -> None:
        """Saves the notebook."""
        self.page.evaluate(f"() => {NOTEBOOK}.context.save()")

    def errors(self) -> list[str]:
        """The error outputs of all cells."""
        script = f"""() => {NOTEBOOK}.content.widgets.flatMap(cell => cell.model.outputs
            ? cell.model.outputs.toJSON().filter(out => out.output_type === 'error').map(out => out.evalue) : [])"""
        return list(self.page.evaluate(script))

    def use_theme(self, name: str) -> None:
        """Changes the theme ("JupyterLab Dark") and waits until its colours are there, and Lab's curtain is gone."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)


def run_state(view: Locator, state: str, timeout_ms: float = RUN_MS) -> None:
    """Waits until a run's view says this state."""
    expect(view.locator(".lp-chip")).to_have_text(state, timeout=timeout_ms, ignore_case=True)
