"""Kept runs in the panel and its tabs: found, labelled, put in order, compared, deleted; endings are told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import create_run, submit
from lepton_lab.specs import RunSpec
from tests.browser.lab import RUN_MS, THEMES
from tests.browser.test_panel import row_of, show_panel
from tests.waiting import wait_until


def spec(epochs: int, **train: object) -> RunSpec:
    return RunSpec.parse({"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": epochs, **train}})


def record_finished(store: Store, name: str, rate: float) -> None:
    """The record of a run as its worker would have written it: what is shown here is only read."""
    run = create_run(store, spec(3, learning_rate=rate), name=name)
    with EventLog.open_writer(run.dir) as writer:
        writer.append("RunStarted", device="cpu", steps_per_epoch=20, steps_total=60, learning_rate=rate, from_step=0)
        for epoch in (1, 2, 3):
            accuracy = 1 - rate - 0.3 / epoch
            writer.append("EpochEnded", epoch=epoch, step=20 * epoch, val_accuracy=accuracy, val_loss=0.5 / epoch)
        writer.append("RunFinished", step=60, epoch=3, best_val_accuracy=accuracy, seconds=2.0)


@pytest.fixture
def panel(fresh_lab, tmp_path, watched):
    """The panel of a server with two finished runs, one at work, one that waits."""
    store = Store(tmp_path / "store").prepare()
    record_finished(store, "slow", 0.0005)
    record_finished(store, "fast", 0.004)
    for name, epochs in (("long", 3000), ("waits", 1), ("waits-too", 1)):
        submit(store, spec(epochs), name=name)
    page = watched()
    page.page.goto(fresh_lab.url("lab/workspaces/kept"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    shown = show_panel(page.page)
    expect(shown.locator(".lp-row")).to_have_count(5)
    expect(row_of(shown, "long")).to_have_attribute("data-state", "running", timeout=RUN_MS)
    shown.watched = page
    return shown


def choose(panel, name: str, item: str) -> None:
    """Chooses from the menu of a run's row."""
    row = row_of(panel, name)
    row.hover()
    row.get_by_role("button", name="More actions").click()
    panel.page.get_by_role("menuitem", name=item).click()


def accept(page, text: str | None = None) -> None:
    """Answers the dialog."""
    if text is not None:
        page.locator(".jp-Dialog :is(input, textarea)").fill(text)
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def test_runs_are_found_labelled_put_in_order_and_deleted(panel):
    page = panel.page
    choose(panel, "fast", "Tags…")
    accept(page, "paper baseline")
    expect(row_of(panel, "fast").locator(".lp-tag")).to_have_text(["paper", "baseline"])
    choose(panel, "fast", "Pin")
    expect(row_of(panel, "fast").locator(".lp-row-pin")).to_be_visible()
    choose(panel, "slow", "Rename…")
    accept(page, "The slow one")
    expect(row_of(panel, "The slow one")).to_be_visible()

    panel.get_by_role("searchbox", name="Find runs").fill("baseline digits")
    expect(panel.locator(".lp-row")).to_have_count(1)
    panel.get_by_role("searchbox", name="Find runs").fill("")

    panel.get_by_role("combobox", name="Group the runs").select_option("by project")
    heading = panel.locator(".lp-group-name", has_text="paper")
    expect(heading).to_have_attribute("aria-expanded", "true")
    heading.click()
    expect(row_of(panel, "fast")).to_have_count(0)
    expect(row_of(panel, "long")).to_be_visible()
    panel.get_by_role("combobox", name="Group the runs").select_option("no groups")

    expect(row_of(panel, "waits-too")).to_contain_text("1 before it")
    choose(panel, "waits-too", "Start next")
    expect(row_of(panel, "waits-too")).to_contain_text("next")
    expect(row_of(panel, "waits")).to_contain_text("1 before it")
    row_of(panel, "waits").locator(".lp-row-main").press("Alt+ArrowUp")
    expect(row_of(panel, "waits")).to_contain_text("next")
    row_of(panel, "waits-too").locator(".lp-row-main").drag_to(row_of(panel, "waits").locator(".lp-row-main"))
    expect(row_of(panel, "waits-too")).to_contain_text("next")
    expect(panel.locator(".lp-meter", has_text="Memory")).to_be_visible()
    panel.watched.shoot("lab-kept-panel-light")

    choose(panel, "The slow one", "Delete…")
    expect(page.locator(".jp-Dialog")).to_contain_text("removed for good")
    accept(page)
    expect(row_of(panel, "The slow one")).to_have_count(0)

    row = row_of(panel, "long")
    row.hover()
    row.get_by_role("button", name="Stop run").click()
    told = page.locator(".jp-Notification-Toast, .Toastify__toast").filter(has_text="waits-too has finished")
    expect(told).to_be_visible(timeout=RUN_MS)

    choose(panel, "waits-too", "Verify")
    details = page.locator(".lp-details:visible")
    expect(details).to_contain_text("tensors are the same, bit by bit.", timeout=RUN_MS)
    panel.watched.shoot("lab-kept-verified-light")


def test_a_run_has_its_details_and_stands_beside_others(panel):
    page = panel.page
    row = row_of(panel, "long")
    row.hover()
    row.get_by_role("button", name="Open curve").click()
    details = page.locator(".lp-details:visible")
    expect(details.locator(".lp-meter", has_text="Memory")).to_be_visible()
    details.get_by_role("button", name="Checkpoint now").click()
    expect(details.get_by_role("button", name=re.compile("^Pin the checkpoint")).first).to_be_visible()
    details.get_by_role("button", name="Fork…").click()
    rate = page.locator(".lp-fork").get_by_label("Learning rate", exact=True)
    rate.fill("0.02")
    rate.press("Tab")
    panel.watched.shoot("lab-kept-fork-light")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    child = page.locator(".lp-details:visible")
    expect(child.locator(".lp-lineage")).to_contain_text("forked at step")
    expect(child.locator(".lp-lineage")).to_contain_text("learning rate auto → 0.02")

    panel.get_by_role("button", name="Compare runs").click()
    compare = page.locator(".lp-compare")
    for name in ("slow", "fast"):
        compare.get_by_role("checkbox", name=re.compile(f"^{name}")).check()
    expect(compare.locator("tbody tr")).to_have_count(2)
    expect(compare.locator("td.lp-differs")).to_have_text(["0.0005", "0.004"])
    expect(compare.locator("canvas")).to_be_visible()
    compare.get_by_role("button", name="learning rate").click()
    expect(compare.locator("tbody .lp-link")).to_have_text(["fast", "slow"])
    with page.expect_download() as download:
        compare.get_by_role("button", name="Save the table as a CSV file").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("run_id,train.learning_rate,state,") and lines[1].startswith("fast,0.004,finished,")
    panel.watched.shoot("lab-kept-compare-light")
    page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", THEMES["dark"])
    page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=THEMES["dark"])
    panel.watched.shoot("lab-kept-compare-dark")

    kept = "() => window.jupyterapp.serviceManager.workspaces.fetch('kept').then(kept => JSON.stringify(kept.data))"
    wait_until(lambda: '["slow","fast"]' in page.evaluate(kept), "the layout to be saved")
    page.reload()
    expect(page.locator(".lp-compare tbody tr")).to_have_count(2)
