"""A person who has never seen it: from the launcher tile to a deployed model on their own CSV, by clicks alone."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import THEMES
from tests.browser.studio import RUN_MS, Studio

DARK = THEMES["dark"]


@pytest.fixture
def own_csv(tmp_path: Path) -> Path:
    """A table as a person exports it: words, numbers, a number that is missing, and what is to be told last."""
    draw = random.Random(3)
    lines = ["age,city,visits,income,renewed"]
    for _ in range(400):
        age, visits, city = draw.randint(18, 80), draw.randint(0, 30), draw.choice(["Berlin", "Lyon", "Wien"])
        income = "" if draw.random() < 0.02 else f"{draw.gauss(3000, 700):.0f}"
        stays = visits + (8 if city == "Wien" else 0) + draw.gauss(0, 3) > 17
        lines.append(f"{age},{city},{visits},{income},{'yes' if stays else 'no'}")
    path = tmp_path / "Bob's customers (2026).csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def look_closer(studio: Studio) -> None:
    """Evaluate: where the line is drawn, the mistakes of one cell, why a row was answered so, the line as a cell."""
    view = studio.root
    missed = view.locator(".lp-threshold-figures td").nth(4)
    before = missed.inner_text()
    view.get_by_role("slider", name=re.compile("counts as yes$")).fill("95")
    expect(missed).not_to_have_text(before)
    view.locator(".lp-cell").first.click()
    expect(view.get_by_text(re.compile("^Mistakes (yes → no|no → yes)$"))).to_be_visible()
    studio.press("Show all mistakes")
    expect(view.get_by_text("Worst mistakes")).to_be_visible()
    studio.press("Explain")
    expect(view.get_by_text(re.compile(r"^Row 0: (yes|no) \("))).to_be_visible()
    cells = view.page.locator(".jp-Notebook .jp-CodeCell")
    count = cells.count()
    studio.press("Insert cell")
    expect(cells).to_have_count(count + 1)
    expect(cells.last).to_contain_text("%lepton evaluate")


def test_from_the_launcher_tile_to_an_answer_on_ones_own_csv(lab, watched, own_csv):
    page = watched(height=1000)
    view = page.page
    view.goto(lab.url("lab/workspaces/newcomer"))
    tile = view.locator(".jp-LauncherCard", has_text="Lepton studio")
    expect(tile).to_be_visible()
    page.shoot("newcomer-0-launcher")
    tile.click()
    studio = Studio(view.locator(".jp-Notebook"))
    expect(studio.root.get_by_text("or drop it here")).to_be_visible()
    page.shoot("newcomer-1-open")
    with view.expect_file_chooser() as chosen:
        studio.root.locator(".lp-view").get_by_role("button", name="Choose a file").click()
    chosen.value.set_files(own_csv)
    expect(studio.root.get_by_text("Rows of each class")).to_be_visible()
    expect(studio.root.get_by_role("radio", name=re.compile("^My own data"))).to_be_checked()
    expect(studio.root.get_by_text("the target 'renewed' holds texts")).to_be_visible()
    page.shoot("newcomer-1-data")
    studio.press("Next: Model")
    expect(studio.root.get_by_text("From a row to a class")).to_be_visible()
    page.shoot("newcomer-2-model")
    studio.press("Next: Train")
    page.shoot("newcomer-3-before")
    studio.press("Train")
    chip = studio.root.locator(".lp-studio-top .lp-chip")
    expect(chip).to_have_text("finished", timeout=RUN_MS)
    page.shoot("newcomer-3-trained")
    studio.press("Next: Evaluate")
    expect(studio.root.get_by_text("Test accuracy")).to_be_visible()
    page.shoot("newcomer-4-report")
    look_closer(studio)
    page.shoot("newcomer-4-explained")
    studio.press("Next: Deploy")
    studio.press("Deploy")
    expect(studio.root.locator(".lp-view .lp-chip").first).to_have_text("ready")
    page.shoot("newcomer-5-deployed")
    studio.press("Predict")
    expect(studio.root.locator(".lp-verdict")).to_be_visible()
    page.shoot("newcomer-5-predicted")
    page.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", DARK)
    page.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=DARK)
    for step in ("Data", "Model", "Train", "Evaluate", "Deploy"):
        studio.step(step)
        page.shoot(f"newcomer-dark-{step.lower()}")
