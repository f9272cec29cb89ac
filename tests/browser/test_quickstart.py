"""The quickstart in JupyterLab, top to bottom, as `make lab` opens it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.lab import NotebookPage, run_state


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_quickstart_runs_top_to_bottom(watched, lab, theme):
    watched_page = watched()
    notebook = NotebookPage(watched_page, lab, "quickstart.ipynb").open()
    if theme == "dark":
        notebook.use_theme("JupyterLab Dark")
    notebook.run_all()
    assert notebook.errors() == []
    watched_page.shoot(f"lab-quickstart-end-{theme}")

    data = notebook.show("%lepton data digits")
    expect(data).to_contain_text("training rows")
    watched_page.shoot(f"lab-quickstart-data-{theme}")

    view = notebook.show("%lepton train").locator(".lp-run")
    run_state(view, "finished")
    watched_page.shoot(f"lab-quickstart-train-{theme}")

    report = notebook.show("%lepton evaluate")
    expect(report).to_contain_text("recall", ignore_case=True)
    watched_page.shoot(f"lab-quickstart-evaluate-{theme}")

    deploy = notebook.show("%lepton deploy")
    expect(deploy).to_contain_text("Endpoint digits")
    expect(deploy).to_contain_text("ready")
    expect(deploy).to_contain_text("lpt_")

    answer = notebook.show("%lepton predict")
    expect(answer).to_contain_text("right")
    watched_page.shoot(f"lab-quickstart-predict-{theme}")
