"""The JupyterLab panel: runs, endpoints and devices as they are now; it needs no kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import NotebookPage, run_state

FIRST_CELLS = ("%load_ext lepton_lab", "%lepton data digits", "%lepton model cnn")
SHOW, STUDIO = "Lepton: Show Runs", "Lepton studio"


@pytest.fixture
def notebook(lab, watched):
    path = lab.write_notebook("panel.ipynb", *FIRST_CELLS, "%lepton train --epochs 3000 --name shown")
    page = NotebookPage(watched(), lab, path).open()
    yield page
    lab.stop_runs()


def show_panel(page):
    """Opens the sidebar with its tab and returns it."""
    page.locator(".jp-SideBar .lm-TabBar-tab[data-id='lepton-lab-sidebar']").click()
    panel = page.locator(".lp-panel")
    expect(panel).to_be_visible()
    return panel


def test_the_panel_follows_runs_and_endpoints(lab, notebook):
    page = notebook.page
    panel = show_panel(page)
    expect(panel.get_by_text("No runs yet.")).to_be_visible()
    notebook.watched.shoot("lab-panel-empty-light")

    notebook.run_all()
    row = panel.locator(".lp-row", has_text="shown")
    expect(row).to_have_attribute("data-state", "running", timeout=30_000)
    text = row.inner_text()
    expect(row).not_to_have_text(text, timeout=10_000)
    expect(page.locator(".lp-status-item")).to_contain_text("1 run")
    expect(panel.locator(".lp-devices")).to_contain_text("shown")
    notebook.watched.shoot("lab-panel-running-light")

    notebook.shut_kernel_down()
    row.hover()
    row.get_by_role("button", name="Open curve").click()
    tab = page.locator(".lm-DockPanel-widget .lp-run:visible").last
    run_state(tab, "running")
    notebook.watched.shoot("lab-panel-curve-light")

    row.hover()
    row.get_by_role("button", name="Stop run").click()
    expect(row).to_have_attribute("data-state", "stopped", timeout=15_000)
    row.hover()
    row.get_by_role("button", name="Resume run").click()
    expect(row).to_have_attribute("data-state", re.compile("starting|running"), timeout=15_000)
    notebook.use_theme("JupyterLab Dark")
    notebook.watched.shoot("lab-panel-dark")
    notebook.use_theme("JupyterLab Light")


def test_the_launcher_opens_the_studio(lab, watched):
    page = watched()
    page.page.goto(lab.url("lab/workspaces/launcher"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    page.page.evaluate("() => window.jupyterapp.commands.execute('launcher:create')")
    tile = page.page.locator(".jp-LauncherCard", has_text=STUDIO)
    expect(tile).to_be_visible()
    page.shoot("lab-launcher-light")
    tile.click()
    expect(page.page.locator(".lp-studio")).to_be_visible(timeout=60_000)
    page.shoot("lab-launcher-studio-light")


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


def test_a_broken_run_folder_is_shown_and_hides_no_other(lab, watched, store):
    (store / "runs" / "broken-one").mkdir(parents=True, exist_ok=True)
    (store / "runs" / "broken-one" / "events.jsonl").write_bytes(b"\x00\xffnoise\n")
    page = watched()
    page.page.goto(lab.url("lab/workspaces/empty"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    panel = show_panel(page.page)
    expect(panel.locator(".lp-row", has_text="broken-one")).to_have_attribute("data-state", "failed")
    expect(panel.locator(".lp-row", has_text="broken-one")).to_contain_text("cannot be read")
    page.shoot("lab-panel-broken-light")
