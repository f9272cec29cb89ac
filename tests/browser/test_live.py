"""A run's view in JupyterLab while it trains: it moves, obeys, and survives kernel, page and tab."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import NotebookPage, run_state

FIRST_CELLS = ("%load_ext lepton_lab", "%lepton data digits", "%lepton model cnn")
LONG = "%lepton train --epochs 3000"
PATIENCE_SECONDS = 60.0


@pytest.fixture
def notebook(watched, lab, request):
    """A notebook with a long run under way, on a kernel of its own."""
    path = lab.write_notebook(request.node.name, *FIRST_CELLS, LONG)
    page = NotebookPage(watched(), lab, path).open()
    page.run_all()
    run_state(page.show(LONG).locator(".lp-run"), "running")
    return page


def epoch_of(view: Locator) -> float:
    """The epoch that a view shows."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*/\s*3,?000", view.locator(".lp-stats").inner_text())
    assert found, view.inner_text()
    return float(found[1])


def assert_moves(view: Locator, by_epochs: float = 2.0) -> None:
    """The view goes on: its epoch rises, and its picture changes, be it a frame later."""
    before, picture = epoch_of(view), view.locator("canvas").screenshot()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while epoch_of(view) < before + by_epochs or view.locator("canvas").screenshot() == picture:
        assert time.monotonic() < deadline, f"from epoch {before} to {epoch_of(view)}, or the picture stands still"
        view.page.wait_for_timeout(50)


def test_the_curve_moves_and_the_buttons_work(notebook):
    view = notebook.show(LONG).locator(".lp-run")
    assert_moves(view)
    notebook.watched.shoot("lab-live-running-light")

    view.get_by_role("button", name="Pause").click()
    run_state(view, "paused")
    view.get_by_role("button", name="Resume").click()
    run_state(view, "running")

    rate = view.get_by_role("textbox")
    rate.fill("0.0005")
    rate.press("Enter")
    expect(view.locator(".lp-chart")).to_have_attribute("aria-label", re.compile("."))
    notebook.page.wait_for_function("() => true")
    expect(rate).to_have_value(re.compile(r"0\.0005|0\.0004"))

    view.get_by_role("button", name="Stop").click()
    run_state(view, "stopped")
    notebook.watched.shoot("lab-live-stopped-light")
    look_at_the_curve(view)


def look_at_the_curve(view: Locator) -> None:
    """Switches of the curve change what is drawn; a point has a tooltip; each form of the curve is saved."""
    page, chart = view.page, view.locator(".lp-chart")

    def changes(press) -> None:
        before = chart.screenshot()
        press()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while chart.screenshot() == before:
            assert time.monotonic() < deadline, "the picture stands still"
            page.wait_for_timeout(50)

    def button(name: str) -> Locator:
        return view.get_by_role("button", name=name, exact=True)

    changes(button("smooth").click)
    changes(lambda: view.get_by_role("slider", name="Smoothing").press("End"))
    changes(button("validation").click)
    changes(button("validation").click)
    changes(button("loss").click)
    changes(button("log").click)
    chart.hover()
    expect(view.locator(".lp-tooltip")).to_be_visible()
    for name, begin in (("PNG picture", b"\x89PNG"), ("SVG picture", b"<svg"), ("CSV file", b"epoch,")):
        with page.expect_download() as download:
            view.get_by_role("button", name=re.compile(f"Save the .* as an? {name}")).click()
        assert download.value.path().read_bytes().startswith(begin), name
    button("table").click()
    expect(view.locator("table")).to_be_visible()


def test_the_buttons_work_while_a_cell_runs(notebook):
    notebook.add_and_run("import threading; threading.Event().wait(60)")
    view = notebook.show(LONG).locator(".lp-run")
    assert_moves(view)
    view.get_by_role("button", name="Stop").click()
    run_state(view, "stopped")
    notebook.command("notebook:interrupt-kernel")


def test_a_kernel_restart_leaves_the_curve_moving(notebook):
    view = notebook.show(LONG).locator(".lp-run")
    notebook.restart_kernel()
    assert_moves(view)
    notebook.shut_kernel_down()
    assert_moves(view)


def test_a_reload_brings_the_whole_curve_back(notebook, lab):
    view = notebook.show(LONG).locator(".lp-run")
    assert_moves(view)
    notebook.save()
    notebook.restart_kernel()
    num_points = points_of(lab)
    num_sockets = len(notebook.watched.frames)
    notebook.page.reload()
    notebook.wait_loaded(LONG)
    view = notebook.show(LONG).locator(".lp-run")
    run_state(view, "running")
    assert_moves(view)
    first = notebook.watched.frames[num_sockets][0]
    assert {series["start"] for series in first["series"]} == {0}
    sent = {series["name"]: series["count"] for series in first["series"]}
    assert all(sent[name] >= count for name, count in num_points.items()), (sent, num_points)


def test_a_second_tab_shows_the_same_run(notebook, watched, lab):
    notebook.save()
    second = NotebookPage(watched(), lab, notebook.path).open()
    view = second.show(LONG).locator(".lp-run")
    run_state(view, "running")
    assert_moves(view)
    assert_moves(notebook.show(LONG).locator(".lp-run"))


def points_of(lab) -> dict[str, int]:
    """How many points each series of the newest run has on the server."""
    run_id = lab.get("lepton-lab/api/runs")["runs"][0]["run_id"]
    series = lab.get(f"lepton-lab/api/runs/{run_id}/curve.json")["series"]
    return {name: len(points["epoch"]) for name, points in series.items()}
