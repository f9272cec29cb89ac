"""The studio as a person uses it, in whatever page it stands."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

RUN_MS = 120_000
CHINESE = {
    "Data": "数据",
    "Model": "模型",
    "Train": "训练",
    "Evaluate": "评估",
    "Deploy": "部署",
    "Load data": "加载数据",
    "Rows of each class": "各类别行数",
    "From a row to a class": "从一行数据到类别",
    "Epochs": "轮次",
    "Train|Train again|Start another run": "开始训练|再次训练|再启动一个运行",
    "running": "运行中",
    "finished": "已完成",
    "ready": "就绪",
    "Show the report": "显示报告",
    "Test accuracy": "测试准确率",
    "Name": "名称",
    "Test row": "测试行",
    "Predict": "预测",
    "right": "正确",
}
"""What the studio's parts are called on a Chinese page."""


class Studio:
    """The five steps; every part is named in English here, whatever the page's language.

    Args:
        scope: The page or the cell that the studio stands in.
        chinese: Whether the page is.
    """

    def __init__(self, scope: Locator, *, chinese: bool = False) -> None:
        self.root = scope.locator(".lp-studio").first
        self._words = CHINESE if chinese else {}

    def word(self, english: str) -> str:
        """What a part is called on this page."""
        return self._words.get(english, english)

    def step(self, name: str) -> None:
        """Goes to one of the five steps."""
        tab = self.root.get_by_role("tab", name=re.compile(self.word(name)))
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")

    def press(self, name: str) -> None:
        """Presses a button of the step in sight."""
        self.root.get_by_role("button", name=self.word(name), exact=True).first.click()

    def choose(self, name: str) -> None:
        """Chooses a dataset or a network."""
        self.root.get_by_role("radio", name=re.compile(rf"^{name}\b", re.IGNORECASE)).check()

    def fill(self, label: str, value: str) -> None:
        """Fills a field of the form."""
        field = self.root.get_by_label(self.word(label), exact=True)
        field.fill(value)
        field.press("Tab")

    def load_digits(self) -> None:
        """Data: the digits, with their card."""
        self.step("Data")
        self.press("Load data")
        expect(self.root.get_by_text(self.word("Rows of each class"))).to_be_visible(timeout=30_000)

    def select_cnn(self) -> None:
        """Model: the convolutional network."""
        self.step("Model")
        self.choose("cnn")
        expect(self.root.get_by_text(self.word("From a row to a class"))).to_be_visible()

    def start(self, epochs: int) -> Locator:
        """Train: starts a run and returns its state's chip."""
        self.step("Train")
        self.fill("Epochs", str(epochs))
        name = self.root.locator(".lp-studio-top .lp-run-name")
        before = name.inner_text()
        start = self.word("Train|Train again|Start another run")
        self.root.get_by_role("button", name=re.compile(f"^({start})$")).first.click()
        expect(name).not_to_have_text(before)
        chip = self.root.locator(".lp-studio-top .lp-chip")
        expect(chip).to_have_text(re.compile("|".join(map(self.word, ("running", "finished")))), timeout=RUN_MS)
        return chip

    def show_report(self) -> None:
        """Evaluate: the report."""
        self.step("Evaluate")
        show = self.root.get_by_role("button", name=self.word("Show the report"))
        accuracy = self.root.get_by_text(self.word("Test accuracy"))
        expect(show.or_(accuracy).first).to_be_visible(timeout=RUN_MS)
        if show.is_visible():
            show.click()
        expect(accuracy).to_be_visible(timeout=30_000)

    def deploy(self, name: str) -> None:
        """Deploy: puts the network online."""
        self.step("Deploy")
        self.fill("Name", name)
        self.press("Deploy")
        expect(self.root.locator(".lp-view .lp-chip")).to_have_text(self.word("ready"))

    def predict(self, row: int) -> None:
        """Deploy: asks the endpoint for a test row."""
        self.root.get_by_label(self.word("Test row")).fill(str(row))
        self.press("Predict")
        expect(self.root.get_by_text(re.compile(self.word("right")))).to_be_visible(timeout=15_000)
