"""The main job in Notebook 7."""

from __future__ import annotations

from playwright.sync_api import expect

from lepton_lab.runs.paths import Store
from tests.browser.lab import THEMES, NotebookPage, run_state
from tests.browser.looks import AGAIN, LANGUAGE_CODES, look_at
from tests.browser.recorded import record_finished, write_notebook
from tests.browser.servers import LANGUAGE_SETTING

NO_AGE = ".jp-NotebookCheckpoint { visibility: hidden; }"


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


def test_a_saved_notebook_looks_as_it_did_where_its_run_is_not(watched, notebook7, tmp_path):
    elsewhere = Store(tmp_path / "elsewhere").prepare()
    record_finished(elsewhere, "digits-cnn-1", epochs=16)
    path, wrong = write_notebook(notebook7, elsewhere, "digits-cnn-1"), []
    for language, code in LANGUAGE_CODES.items():
        notebook7.write_settings(LANGUAGE_SETTING, locale=code)
        page = watched(height=1000)
        notebook = NotebookPage(page, notebook7, path, app="notebook").open()
        expect(page.page.locator(".lp-saved-picture")).to_be_visible()
        page.page.add_style_tag(content=NO_AGE)
        wrong += look_at(page.page, "notebook7-saved", language, 1000, notebook.use_theme)
        page.close()
    assert not wrong, "\n".join([*wrong, AGAIN])
