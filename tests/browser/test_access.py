"""Nothing serious in the studio for people who use a keyboard, a screen reader or need contrast (axe-core)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.lab import NotebookPage
from tests.browser.studio import Studio


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_studio_and_the_panel_have_nothing_serious(lab, watched, dark):
    page = watched()
    path = lab.write_notebook("access.ipynb", "%load_ext lepton_lab\n%lepton studio")
    notebook = NotebookPage(page, lab, path).open()
    if dark:
        notebook.use_theme("JupyterLab Dark")
    notebook.run_all()
    studio = Studio(notebook.show("%lepton studio"))
    found = {}
    studio.load_digits()
    found["data"] = serious(page.page, ".lp-studio")
    for step in ("Model", "Train", "Evaluate", "Deploy"):
        studio.step(step)
        found[step] = serious(page.page, ".lp-studio")
    notebook.command("lepton-lab:show-runs")
    expect(page.page.locator(".lp-sidebar")).to_be_visible()
    expect(page.page.locator('[data-jp-item-name="lepton-dashboard"]')).to_be_visible()
    found["panel"] = serious(page.page, ".lp-sidebar")
    page.shoot(f"access-{'dark' if dark else 'light'}")
    assert {step: each for step, each in found.items() if each} == {}


def test_the_five_steps_are_reached_by_keys_alone(lab, watched):
    page = watched()
    path = lab.write_notebook("keys.ipynb", "%load_ext lepton_lab\n%lepton studio")
    notebook = NotebookPage(page, lab, path).open()
    notebook.run_all()
    studio = Studio(notebook.show("%lepton studio"))
    studio.root.get_by_role("tab", selected=True).focus()
    for step in ("Model", "Train", "Evaluate", "Deploy", "Data"):
        page.page.keyboard.press("ArrowRight")
        expect(studio.root.get_by_role("tab", name=re.compile(step))).to_be_focused()
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("() => document.activeElement.closest('.lp-studio') !== null")
