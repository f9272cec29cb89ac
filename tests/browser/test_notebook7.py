"""The main job in Notebook 7."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import THEMES, NotebookPage, run_state


def test_the_quickstart_runs_in_notebook_7(watched, notebook7):
    page = watched()
    notebook = NotebookPage(page, notebook7, "quickstart.ipynb", app="notebook").open()
    notebook.run_all()
    assert notebook.errors() == []
    run_state(notebook.show("%lepton train").locator(".lp-run"), "finished")
    expect(notebook.show("%lepton predict")).to_contain_text("right")
    for theme, name in THEMES.items():
        notebook.use_theme(name)
        for step in ("train", "predict"):
            notebook.show(f"%lepton {step}")
            page.shoot(f"notebook7-{step}-{theme}")


def test_stop_works_and_the_curve_outlives_the_kernel_in_notebook_7(watched, notebook7):
    long = "%lepton train --epochs 3000"
    path = notebook7.write_notebook(
        "live7.ipynb", "%load_ext lepton_lab", "%lepton data digits", "%lepton model cnn", long
    )
    notebook = NotebookPage(watched(), notebook7, path, app="notebook").open()
    notebook.run_all()
    view = notebook.show(long).locator(".lp-run")
    run_state(view, "running")
    notebook.shut_kernel_down()
    before = view.locator(".lp-stats").inner_text()
    expect(view.locator(".lp-stats")).not_to_have_text(before)
    view.get_by_role("button", name="Stop").click()
    run_state(view, "stopped")
