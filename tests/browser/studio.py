"""The studio as a person uses it, in whatever page it stands."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

RUN_MS = 120_000


class Studio:
    """The five steps.

    Args:
        scope: The page or the cell that the studio stands in.
    """

    def __init__(self, scope: Locator) -> None:
        self.root = scope.locator(".lp-studio").first

    def step(self, name: str) -> None:
        """Goes to one of the five steps."""
        tab = self.root.get_by_role("tab", name=re.compile(name))
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")

    def press(self, name: str) -> None:
        """Presses a button of the step in sight."""
        self.root.get_by_role("button", name=name, exact=True).first.click()

    def choose(self, name: str) -> None:
        """Chooses a dataset or a network."""
        self.root.get_by_role("radio", name=re.compile(rf"^{name}\b", re.IGNORECASE)).check()

    def fill(self, label: str, value: str) -> None:
        """Fills a field of the form."""
        field = self.root.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Tab")

    def load_digits(self) -> None:
        """Data: the digits, with their card."""
        self.step("Data")
        self.press("Load data")
        expect(self.root.get_by_text("Rows of each class")).to_be_visible(timeout=30_000)

    def select_cnn(self) -> None:
        """Model: the convolutional network."""
        self.step("Model")
        self.choose("cnn")
        expect(self.root.get_by_text("From a row to a class")).to_be_visible()

    def start(self, epochs: int) -> Locator:
        """Train: starts a run and returns its state's chip."""
        self.step("Train")
        self.fill("Epochs", str(epochs))
        name = self.root.locator(".lp-studio-top .lp-run-name")
        before = name.inner_text()
        self.root.get_by_role("button", name=re.compile("^(Train|Train again|Start another run)$")).first.click()
        expect(name).not_to_have_text(before)
        chip = self.root.locator(".lp-studio-top .lp-chip")
        expect(chip).to_have_text(re.compile("running|finished"), timeout=RUN_MS)
        return chip

    def show_report(self) -> None:
        """Evaluate: the report."""
        self.step("Evaluate")
        show = self.root.get_by_role("button", name="Show the report")
        accuracy = self.root.get_by_text("Test accuracy")
        expect(show.or_(accuracy).first).to_be_visible(timeout=RUN_MS)
        if show.is_visible():
            show.click()
        expect(accuracy).to_be_visible(timeout=30_000)

    def deploy(self, name: str) -> None:
        """Deploy: puts the network online."""
        self.step("Deploy")
        self.fill("Name", name)
        self.press("Deploy")
        expect(self.root.locator(".lp-view .lp-chip")).to_have_text("ready")

    def predict(self, row: int) -> None:
        """Deploy: asks the endpoint for a test row."""
        self.root.get_by_label("Test row").fill(str(row))
        self.press("Predict")
        expect(self.root.get_by_text(re.compile("right"))).to_be_visible(timeout=15_000)
