"""A notebook that was saved, and is opened where its run is not: the picture, the figures and the run's name stay."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import servers
from tests.browser.lab import THEMES, NotebookPage, run_state
from tests.processes import end_processes_of

TRAIN = "%lepton train --epochs 4"


@pytest.fixture
def elsewhere(tmp_path):
    """A JupyterLab with an empty run store, as on another machine."""
    server = servers.jupyter("lab", tmp_path / "elsewhere", tmp_path / "empty-store")
    yield server
    server.stop()
    end_processes_of(tmp_path / "empty-store")


def test_a_saved_notebook_shows_its_curve_without_run_and_kernel(lab, elsewhere, watched):
    path = lab.write_notebook("saved.ipynb", "%load_ext lepton_lab", "%lepton data digits", "%lepton model cnn", TRAIN)
    first = NotebookPage(watched(), lab, path).open()
    first.run_all()
    run_state(first.show(TRAIN).locator(".lp-run"), "finished")
    first.page.wait_for_function(
        "() => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON()).includes('image/svg+xml')"
    )
    first.save()

    (elsewhere.folder / "notebooks" / path).write_bytes((lab.folder / "notebooks" / path).read_bytes())
    # The page asks whether this server knows the run, and is told no: that answer is part of the test.
    page = watched(allow=[r"404: GET .*/lepton-lab/api/runs/\S+", r"console: Failed to load resource.*404.*"])
    later = NotebookPage(page, elsewhere, path).open()
    cell = later.show(TRAIN)
    expect(cell).to_contain_text("digits-cnn-")
    expect(cell).to_contain_text("finished")
    expect(cell.locator("img, svg").first).to_be_visible()
    expect(cell).not_to_contain_text("Error displaying widget")
    for theme, name in THEMES.items():
        later.use_theme(name)
        later.show(TRAIN)
        page.shoot(f"lab-saved-elsewhere-{theme}")
