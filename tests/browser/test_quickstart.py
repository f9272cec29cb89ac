"""The quickstart in JupyterLab, top to bottom, as `make lab` opens it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import THEMES, NotebookPage, run_state

SHOWN = {
    "data": "%lepton data digits",
    "train": "%lepton train",
    "evaluate": "%lepton evaluate",
    "predict": "%lepton p",
}


def test_the_quickstart_runs_top_to_bottom(watched, fresh_lab):
    page = watched()
    notebook = NotebookPage(page, fresh_lab, "quickstart.ipynb").open()
    notebook.run_all()
    assert notebook.errors() == []
    expect(notebook.show("%lepton data digits")).to_contain_text("training rows")
    run_state(notebook.show("%lepton train").locator(".lp-run"), "finished")
    expect(notebook.show("%lepton evaluate")).to_contain_text("recall", ignore_case=True)
    deploy = notebook.show("%lepton deploy")
    for text in ("Endpoint digits", "ready", "lpt_"):
        expect(deploy).to_contain_text(text)
    expect(notebook.show("%lepton predict")).to_contain_text("right")

    for theme, name in THEMES.items():
        notebook.use_theme(name)
        for step, source in SHOWN.items():
            notebook.show(source)
            page.shoot(f"lab-quickstart-{step}-{theme}")
