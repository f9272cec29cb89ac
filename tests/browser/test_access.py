"""The studio for people who use a keyboard, a screen reader or need contrast (axe-core); more in test_surfaces."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.axe import serious
from tests.browser.lab import THEMES, NotebookPage
from tests.browser.studio import Studio

STEPS = ("Data", "Model", "Train", "Evaluate", "Deploy")


def test_the_studio_and_the_panel_have_nothing_serious_and_go_by_keys_alone(lab, watched):
    page = watched()
    path = lab.write_notebook("access.ipynb", "%load_ext lepton_lab\n%lepton studio")
    notebook = NotebookPage(page, lab, path).open()
    notebook.run_all()
    studio = Studio(notebook.show("%lepton studio"))
    studio.load_digits()
    studio.root.get_by_role("tab", selected=True).focus()
    for step in (*STEPS[1:], STEPS[0]):
        page.page.keyboard.press("ArrowRight")
        expect(studio.root.get_by_role("tab", name=re.compile(step))).to_be_focused()
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("() => document.activeElement.closest('.lp-studio') !== null")

    notebook.command("lepton-lab:show-runs")
    expect(page.page.locator(".lp-sidebar")).to_be_visible()
    expect(page.page.locator('[data-jp-item-name="lepton-dashboard"]')).to_be_visible()
    found = {}
    for theme, name in THEMES.items():
        notebook.use_theme(name)
        for step in STEPS:
            studio.step(step)
            found[f"{step}, {theme}"] = serious(page.page, ".lp-studio")
        found[f"panel, {theme}"] = serious(page.page, ".lp-sidebar")
        page.shoot(f"access-{theme}")
    assert {step: each for step, each in found.items() if each} == {}
