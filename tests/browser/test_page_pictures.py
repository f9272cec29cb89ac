"""Whole pages look as they did: the dashboards, JupyterLab with the panel, and an endpoint's own page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect

from lepton_lab.runs.paths import Store
from lepton_lab.session import Host, Session
from tests.browser import tryit
from tests.browser.axe import serious
from tests.browser.chromium import ARTIFACTS
from tests.browser.pictures import compare, take
from tests.browser.recorded import at_work, record_all
from tests.waiting import wait_until

LOOKS = {"en": [(1280, "light"), (800, "dark")], "zh": [(1280, "dark"), (800, "light")]}
"""Every width with every theme and every language, each theme with each language."""
AGAIN = "If this is how it shall look: make pictures"


@pytest.fixture(scope="module")
def recorded(store) -> Iterator[SimpleNamespace]:
    """Runs whose records stand still, and an endpoint that answers."""
    kept = Store(store).prepare()
    record_all(kept)
    endpoint = Session(kept, Host(), who="ada").run("digits-linear-1").deploy(name="digits")
    endpoint.predict(row=0)
    wait_until(lambda: endpoint.summary.requests, "the endpoint to say that it was asked")
    yield SimpleNamespace(store=kept, endpoint=endpoint)
    endpoint.stop()


def look_at(page: Page, name: str, language: str, height: int = 400) -> list[str]:
    """A page in each of the looks that it has in a language; what is other than it was."""
    wrong = []
    for width, theme in LOOKS[language]:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        seen, look = take(page), f"{name}-{width}-{theme}-{language}"
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / f"{look}.png").write_bytes(seen)
        wrong.append(compare(seen, look))
    return [each for each in wrong if each]


def ask_card(page: Page) -> None:
    """The model card, after a question."""
    view = page.locator(".lp-studio")
    view.get_by_role("button", name=re.compile("^(Predict|预测)$")).click()
    expect(view.locator(".lp-verdict")).to_be_visible()
    page.evaluate(
        """() => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            walker.currentNode.data = walker.currentNode.data
              .replace(/(127\\.0\\.0\\.1):\\d+/, '$1:8700').replace(/[\\d.]+ (ms|毫秒)/, '2.8 $1');
          }
          document.querySelectorAll('.lp-view .lp-facts dd').item(1).textContent = '1';
        }"""
    )


BOARDS: dict[str, Callable[[Page], None]] = {
    "studio": lambda page: expect(page.locator(".lp-studio [role=tab]").first).to_be_visible(),
    "monitor": lambda page: expect(page.locator(".lp-run .lp-chip")).to_be_visible(),
    "model-card": ask_card,
}


def test_no_dashboard_looks_other_than_it_did(recorded, lab, watched):
    wrong = []
    with at_work(recorded.store):
        for board, ready in BOARDS.items():
            for language in LOOKS:
                page = watched()
                path = f"voila/render/dashboards/{board}.ipynb"
                page.page.goto(lab.url(path, template="lepton", lang=language))
                ready(page.page)
                wrong += look_at(page.page, f"dashboard-{board}", language)
                page.close()
    assert not wrong, "\n".join([*wrong, AGAIN])


@pytest.mark.parametrize("language", LOOKS)
def test_no_page_of_an_endpoint_looks_other_than_it_did(watched, language):
    page = watched(locale=language, allow=[r"401: .*", r"console: Failed to load resource.*401.*"])
    choose, wrong = tryit.serve(page.page), []
    page.page.goto(tryit.ADDRESS)
    wrong += look_at(page.page, "endpoint-door", language)
    for kind in tryit.TOLD:
        choose(kind)
        tryit.ask(page.page, kind)
        wrong += look_at(page.page, f"endpoint-{kind}", language)
        if kind in ("boxes", "forecast"):  # the others are asked in test_surfaces
            wrong += serious(page.page, "body")
    assert not wrong, "\n".join([*wrong, AGAIN])
