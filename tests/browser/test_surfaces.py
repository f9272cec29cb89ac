"""Every surface with fifty payloads in place of its texts: none runs, all are shown; axe-core finds nothing serious.

One store, one server and one endpoint for all, and each surface is drawn once for both questions. The studio's steps
are asked by axe-core in `test_access`.
"""

from __future__ import annotations

import secrets
from types import SimpleNamespace

import pytest
from playwright.sync_api import Locator, expect

from lepton_lab.runs.events import EventLog
from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import create_run
from lepton_lab.session import Host, Session
from lepton_lab.specs import RunSpec
from tests.browser import servers
from tests.browser.axe import serious
from tests.browser.lab import THEMES, NotebookPage
from tests.browser.payloads import PAYLOADS, label, record_failed, write_table
from tests.browser.studio import Studio
from tests.browser.test_panel import row_of, show_panel

CELLS = [
    "%load_ext lepton_lab\nimport lepton_lab as lepton",
    "data = lepton.load_data(TABLE, target=TARGET, task='classification')\ndata",
    "lepton.select_model('mlp').train(epochs=1, wait=True)",
    "lepton.evaluate()",
    "lepton.list_runs()",
    "lepton.compare([RUN, 'evil-0', 'evil-1'])",
    "lepton.list_endpoints()",
    "lepton.endpoint('evil').predict(row=3)",
]
EXPECTED = {"data = lepton": 25, "select_model": 0, "evaluate()": 50, "list_runs": 45, "compare(": 3, "predict(": 5}
"""How many of the payloads each of these cells shows at least."""
KEPT = """() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells.flatMap(cell => cell.outputs ?? [])
  .flatMap(out => ['text/html', 'image/svg+xml'].map(kind => out.data?.[kind])).filter(Boolean)"""
"""What a saved notebook keeps of its displays."""
SPEC = {"data": {"name": f"{PAYLOADS[2]}.csv"}, "model": {"name": "mlp"}, "train": {}}


@pytest.fixture(scope="module")
def evil(store, tmp_path_factory):
    """A trained run, its endpoint and fifty failed runs, all of whose texts are payloads."""
    kept = Store(store).prepare()
    session = Session(kept, Host(), who=PAYLOADS[0])
    table = write_table(tmp_path_factory.mktemp("evil"))
    data = session.load_data(str(table), target=PAYLOADS[8], task="classification")
    for number in range(len(PAYLOADS)):
        record_failed(kept, number)
    # The newest: of so many runs the panel draws the oldest only when someone scrolls to them.
    run = session.select_model("mlp", data).train(wait=True, epochs=1)
    label(kept.run_dir(run.id), PAYLOADS[2])
    endpoint = run.deploy(name="evil")
    yield SimpleNamespace(store=kept, run=run, table=table, endpoint=endpoint)
    endpoint.stop()


@pytest.fixture(scope="module")
def lab(evil, tmp_path_factory):
    server = servers.jupyter("lab", tmp_path_factory.mktemp("lab"), evil.store.root)
    yield server
    server.stop()


@pytest.fixture
def hunted(watched):
    """Opens pages on which a payload that runs is caught; none may at the end of the test."""
    caught: list[str] = []

    def open_page(**options):
        page = watched(**options)
        page.context.expose_function("hacked", lambda *given: caught.append(f"hacked{given}"))
        page.page.on("dialog", lambda dialog: (caught.append(dialog.message), dialog.dismiss()))
        page.page.on("popup", lambda popup: caught.append(popup.url))
        return page

    yield open_page
    assert caught == [], "a payload ran"


def shown(surface: Locator) -> int:
    """How many of the payloads stand as they are among the texts and values of a surface; long ones may be cut."""
    expect(surface.first).to_be_visible()
    text = surface.evaluate_all(
        """all => all.map(each => each.textContent + [...each.querySelectorAll('input, [title], [aria-label]')]
            .map(part => `${part.value ?? ''} ${part.title} ${part.ariaLabel ?? ''}`).join(' ')).join(' ')"""
    )
    return sum(payload[:30] in text for payload in PAYLOADS)


def both_themes(page, found: dict, name: str, selector: str) -> None:
    """What axe-core finds in a part of a JupyterLab page, light and dark."""
    for theme, full in THEMES.items():
        page.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", full)
        page.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=full)
        # JupyterLab takes its splash away a moment later, and trips over it if the theme is changed again before.
        page.page.wait_for_selector("#jupyterlab-splash", state="detached")
        found[f"{name}, {theme}"] = serious(page.page, selector)


def test_no_payload_runs_in_a_notebook_or_in_the_saved_file(lab, hunted, evil):
    values = f"TABLE, TARGET, RUN = {str(evil.table)!r}, {PAYLOADS[8]!r}, {evil.run.id!r}"
    path = lab.write_notebook("evil", values, *CELLS)
    page = hunted(height=1200)
    notebook = NotebookPage(page, lab, path).open()
    notebook.run_all()
    assert notebook.errors() == []
    for source, least in EXPECTED.items():
        cell = notebook.show(source)
        assert shown(cell.locator(".jp-OutputArea-output")) >= least, source
    page.shoot("evil-predicted")
    # Alone: while all cells run and draw, a page at a high load misses the two seconds that anywidget gives a widget.
    studio = Studio(notebook.add_and_run("%lepton studio"))
    expect(studio.root).to_be_visible()
    for step, least in (("Data", 25), ("Evaluate", 50), ("Deploy", 0)):
        studio.step(step)
        if step == "Evaluate":
            studio.show_report()
        assert shown(studio.root) >= least, step
        page.shoot(f"evil-studio-{step.lower()}")
        assert serious(page.page, ".lp-studio") == [], step
    kept = page.page.evaluate(KEPT)
    bare = hunted()
    bare.page.set_content("".join("".join(each) for each in kept))
    assert shown(bare.page.locator("body")) == len(PAYLOADS)
    assert bare.page.locator("script, iframe, object, embed, base, link, [onerror], [onload], a").count() == 0


def open_lab(page, lab):
    """An empty JupyterLab with the panel open."""
    page.page.goto(lab.url(f"lab/workspaces/{secrets.token_hex(4)}"))
    page.page.wait_for_function("() => window.jupyterapp?.shell?.restored.then(() => true)")
    return show_panel(page.page)


def test_no_payload_runs_in_the_panel_and_its_tabs_and_all_can_use_them(lab, hunted, evil):
    going = create_run(evil.store, RunSpec.parse(SPEC), name=f"going-{secrets.token_hex(2)}")
    label(going.dir, PAYLOADS[4])
    page, found = hunted(height=1000), {}
    started = {"steps_per_epoch": 2, "steps_total": 6, "learning_rate": 0.1, "from_step": 0}
    with EventLog.open_writer(going.dir) as writer:
        writer.append("RunStarted", device=PAYLOADS[5], **started)
        try:
            panel = open_lab(page, lab)
            expect(row_of(panel, PAYLOADS[4]).first).to_have_attribute("data-state", "running")
        finally:
            writer.append("RunFailed", reason=PAYLOADS[3], message=PAYLOADS[3])
    told = page.page.locator(".jp-Notification-Toast, .Toastify__toast")
    expect(told.first).to_contain_text(PAYLOADS[3])
    assert shown(panel) >= 45
    both_themes(page, found, "panel", ".lp-sidebar")
    page.shoot("evil-panel")
    row_of(panel, PAYLOADS[2]).first.locator(".lp-row-main").click()
    tab = page.page.locator(".lp-curve-tab:visible")
    expect(tab.locator(".lp-details")).to_contain_text(PAYLOADS[2])
    both_themes(page, found, "run", ".lp-curve-tab:not(.lm-mod-hidden *)")
    page.shoot("evil-run")
    panel.get_by_role("button", name="Compare runs").click()
    compare = page.page.locator(".lp-compare:visible")
    for number in range(3):
        compare.get_by_role("checkbox").nth(number).check()
    expect(compare.locator("tbody tr")).to_have_count(3)
    assert shown(compare) >= 45
    both_themes(page, found, "compare", ".lp-compare-tab")
    page.shoot("evil-compare")
    panel.locator(".lp-row-main", has_text="http://").click()
    tab = page.page.locator(".lp-endpoint:visible")
    expect(tab.locator(".lp-chip")).to_have_text("ready")
    for text in ("answers", "Keys and usage", "Log of the server", "deployed"):
        expect(tab).to_contain_text(text)
    both_themes(page, found, "endpoint", ".lp-endpoint-tab")
    page.shoot("evil-endpoint-tab")
    assert {name: each for name, each in found.items() if each} == {}


def board(lab, name: str) -> str:
    """The address of a dashboard; as `make dashboard` serves it: test_studio."""
    return lab.url(f"voila/render/dashboards/{name}.ipynb", template="lepton")


def test_many_look_at_runs_and_none_can_stop_one(evil, lab, hunted):
    url = board(lab, "monitor")
    for page in (hunted(), hunted(dark=True, width=800)):
        page.page.goto(url)
        expect(page.page.locator(".lp-run .lp-chip")).to_be_visible()
        expect(page.page.get_by_label("Run", exact=True)).to_be_visible()
        for name in ("Stop", "Resume"):
            expect(page.page.get_by_role("button", name=name)).to_have_count(0)
        assert shown(page.page.locator("body")) >= 45
        page.shoot(f"evil-monitor-{page.page.viewport_size['width']}")
        assert serious(page.page, "body") == []


def test_a_model_card_answers_a_question(evil, lab, hunted):
    url = board(lab, "model-card")
    for page in (hunted(), hunted(dark=True, width=800)):
        page.page.goto(url)
        view = page.page.locator(".lp-studio")
        expect(view.get_by_text("This network")).to_be_visible()
        view.get_by_label("Test row").fill("3")
        view.get_by_role("button", name="Predict", exact=True).click()
        expect(view.locator(".lp-verdict")).to_be_visible()
        expect(view.get_by_role("button", name="Deploy")).to_have_count(0)
        expect(view.get_by_role("button", name="Stop endpoint")).to_be_hidden()
        assert shown(view) >= 5
        page.shoot(f"evil-model-card-{page.page.viewport_size['width']}")
        assert serious(page.page, "body") == []


def test_the_endpoints_own_page_answers_a_question(evil, hunted):
    for page in (hunted(), hunted(dark=True, width=800)):
        page.page.goto(evil.endpoint.url)
        page.page.fill("#key", evil.endpoint.key)
        page.page.press("#key", "Enter")
        expect(page.page.locator("#desk")).to_be_visible()
        page.page.fill("#paste", f"7,0.5,{PAYLOADS[0]},{PAYLOADS[9]}")
        page.page.click("#go")
        expect(page.page.locator("#answer")).to_be_visible()
        assert shown(page.page.locator("body")) >= 10
        page.shoot(f"evil-endpoint-{page.page.viewport_size['width']}")
        assert serious(page.page, "body") == []
