"""The JupyterLab panel: runs, endpoints and devices as they are now; it needs no kernel."""

from __future__ import annotations

import re
import secrets
import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.lab import RUN_MS, NotebookPage, run_state

FIRST_CELLS = ("%load_ext lepton_lab", "%lepton data digits", "%lepton model cnn")


@pytest.fixture
def notebook(fresh_lab, watched):
    """A notebook that will start the run `shown`, on a server that has seen no run yet."""
    path = fresh_lab.write_notebook("panel", *FIRST_CELLS, "%lepton train --epochs 3000 --name shown")
    return NotebookPage(watched(), fresh_lab, path).open()


def show_panel(page):
    """Opens the sidebar with its tab and returns it."""
    page.locator(".jp-SideBar .lm-TabBar-tab[data-id='lepton-lab-sidebar']").click()
    panel = page.locator(".lp-panel")
    expect(panel).to_be_visible()
    return panel


def row_of(panel, name):
    """The row of exactly this run."""
    return panel.locator(".lp-row", has=panel.page.get_by_text(name, exact=True))


def test_the_panel_follows_runs_and_endpoints(notebook):
    page = notebook.page
    panel = show_panel(page)
    expect(panel.get_by_text("No runs yet.")).to_be_visible()
    notebook.watched.shoot("lab-panel-empty-light")

    notebook.run_all()
    row = row_of(panel, "shown")
    expect(row).to_have_attribute("data-state", "running", timeout=RUN_MS)
    line = row.locator("small")
    expect(line).not_to_have_text(line.inner_text())
    expect(page.locator(".lp-status-item")).to_contain_text("1 run")
    expect(panel.locator(".lp-devices")).to_contain_text("shown")
    notebook.watched.shoot("lab-panel-running-light")

    row.locator(".lp-row-main").drag_to(page.locator(".jp-Notebook-footer, .jp-Notebook .jp-Cell").last)
    assert notebook.find_cell('lepton.run("shown")') > 0

    notebook.shut_kernel_down()
    row.hover()
    row.get_by_role("button", name="Open curve").click()
    tab = page.locator(".lm-DockPanel-widget .lp-run:visible").last
    run_state(tab, "running")
    notebook.watched.shoot("lab-panel-curve-light")
    chart, whole = tab.locator(".lp-chart"), tab.get_by_role("button", name="whole run")
    for key in ("+", "+", "ArrowRight", "-"):
        chart.press(key)
    expect(whole).to_be_visible()
    chart.press("Home")
    expect(whole).to_be_hidden()
    assert serious(page, ".lp-curve-tab") == []

    row.hover()
    row.get_by_role("button", name="Stop run").click()
    expect(row).to_have_attribute("data-state", "stopped", timeout=RUN_MS)
    row.hover()
    row.get_by_role("button", name="Resume run").click()
    expect(row).to_have_attribute("data-state", re.compile("starting|running"), timeout=RUN_MS)
    notebook.use_theme("JupyterLab Dark")
    notebook.watched.shoot("lab-panel-dark")
    notebook.use_theme("JupyterLab Light")


def test_the_palette_has_the_commands(lab, watched):
    page = watched()
    page.page.goto(lab.url("lab/workspaces/empty"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    page.page.keyboard.press("Control+Shift+c")
    page.page.locator(".jp-ModalCommandPalette .lm-CommandPalette-input").fill("lepton")
    items = page.page.locator(".lm-CommandPalette-itemLabel")
    expect(items.filter(has_text="Open Lepton Studio")).to_be_visible()
    expect(items.filter(has_text="Show Runs")).to_be_visible()
    page.shoot("lab-palette-light")


def test_a_broken_run_folder_is_shown_and_hides_no_other(lab, watched):
    name = f"broken-{secrets.token_hex(4)}"
    folder = lab.store / "runs" / name
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_bytes(b"\x00\xffnoise\n")
    page = watched()
    page.page.goto(lab.url("lab/workspaces/empty"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    panel = show_panel(page.page)
    expect(row_of(panel, name)).to_have_attribute("data-state", "failed")
    expect(row_of(panel, name)).to_contain_text("cannot be read")
    page.shoot("lab-panel-broken-light")
    shutil.rmtree(folder)
