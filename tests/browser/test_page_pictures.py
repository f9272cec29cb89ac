"""Whole pages look as they did: the dashboards, JupyterLab with the panel, and an endpoint's own page."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, Route, expect

from lepton_lab.runs.paths import Store
from lepton_lab.session import Host, Session
from tests.browser import servers, tryit
from tests.browser.axe import serious
from tests.browser.lab import NotebookPage
from tests.browser.looks import AGAIN, LANGUAGE_CODES, LOOKS, look_at
from tests.browser.recorded import NOON, at_work, record_all, write_notebook
from tests.browser.servers import LANGUAGE_SETTING
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def recorded(store) -> Iterator[SimpleNamespace]:
    """Runs whose records stand still, and an endpoint that answers."""
    kept = Store(store).prepare()
    record_all(kept)
    patch = pytest.MonkeyPatch()
    patch.setenv("LEPTON_CPU_SLOTS", "1")
    endpoint = Session(kept, Host(), who="ada").run("digits-linear-1").deploy(name="digits")
    endpoint.predict(row=0)
    wait_until(lambda: endpoint.summary.requests, "the endpoint to say that it was asked")
    wait_until(lambda: any(row[4] for row in endpoint.usage().rows), "the row to stand in the keys' usage")
    yield SimpleNamespace(store=kept, endpoint=endpoint)
    endpoint.stop()
    patch.undo()


@pytest.fixture(scope="module")
def lab(recorded, tmp_path_factory) -> Iterator[servers.Server]:
    server = servers.jupyter("lab", tmp_path_factory.mktemp("lab"), recorded.store.root)
    yield server
    server.stop()


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
          const facts = document.querySelectorAll('.lp-view .lp-facts dd');
          facts[1].textContent = facts[2].textContent = '1';
        }"""
    )


BOARDS: dict[str, Callable[[Page], None]] = {
    "studio": lambda page: expect(page.locator(".lp-studio [role=tab]").first).to_be_visible(),
    "monitor": lambda page: expect(page.locator(".lp-run .lp-chip")).to_be_visible(),
    "model-card": ask_card,
}


TITLES = {
    "studio": {"en": "Lepton studio", "zh": "Lepton 工作室"},
    "monitor": {"en": "Lepton run monitor", "zh": "Lepton 运行监视"},
    "model-card": {"en": "Lepton model card", "zh": "Lepton 模型卡片"},
}
"""What a tab of the browser says."""


def test_no_dashboard_looks_other_than_it_did(recorded, lab, watched):
    wrong = []
    with at_work(recorded.store):
        for board, ready in BOARDS.items():
            for language in LOOKS:
                page = watched()
                path = f"voila/render/dashboards/{board}.ipynb"
                page.page.goto(lab.url(path, template="lepton", lang=language))
                ready(page.page)
                expect(page.page).to_have_title(TITLES[board][language])
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


NO_LATENCY = ".lp-row:has(.lp-row-url) small:not(.lp-row-url) { visibility: hidden; white-space: nowrap; }"
"""How fast an endpoint answers is no two times the same."""
MACHINE = [
    {"time": NOON + at, "cpu_fraction": 0.5 + math.sin(at) / 4, "num_cores": 8, "memory_used_bytes": 9e9 + at * 1e8}
    | {"memory_total_bytes": 32e9, "disk_free_bytes": 210e9, "disk_total_bytes": 500e9, "gpus": []}
    for at in range(20)
]


def tell_machine(route: Route) -> None:
    """Stands in for the route that says what the machine uses: all of it at first, then nothing new."""
    samples = MACHINE if re.search(r"since=0(&|$)", route.request.url) else []
    route.fulfill(json={"samples": samples})


def test_jupyterlab_looks_as_it_did_with_our_parts(recorded, lab, watched):
    wrong = []
    with at_work(recorded.store):
        path = write_notebook(lab, recorded.store, "digits-cnn-4", trusted=True)
        for language, code in LANGUAGE_CODES.items():
            lab.write_settings(LANGUAGE_SETTING, locale=code)
            page = watched(height=860)
            page.page.route("**/lepton-lab/api/monitor?*", tell_machine)
            notebook = NotebookPage(page, lab, path).open()
            notebook.command("lepton-lab:show-runs")
            expect(page.page.locator(".lp-panel .lp-row")).to_have_count(6)
            page.page.add_style_tag(content=NO_LATENCY)
            expect(page.page.locator(".lp-panel .lp-meter").first).to_be_visible()
            expect(page.page.locator(".jp-Notebook .lp-run .lp-chip")).to_have_attribute("data-state", "running")
            wrong += look_at(page.page, "lab-notebook", language, 860, notebook.use_theme)
            notebook.command("launcher:create")
            expect(page.page.locator(".jp-LauncherCard", has_text="Lepton").first).to_be_visible()
            wrong += look_at(page.page, "lab-launcher", language, 860, notebook.use_theme)
            page.close()
    assert not wrong, "\n".join([*wrong, AGAIN])
