"""A real Chromium and real Jupyter servers, each with a run store of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.browser import servers
from tests.browser.chromium import FLAGS, Watched, find_chromium
from tests.processes import end_processes_of

# How long a page may take over anything before a test gives up. Generous, since passing costs no time: on two busy
# cores a click, a worker's start and a redraw each take seconds.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)

OPENED = pytest.StashKey[list[Watched]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what lies here; without a Chromium it is skipped, and says how to get one."""
    here = Path(__file__).parent
    missing = find_chromium() is None
    may_rerun = config.pluginmanager.hasplugin("rerunfailures")
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("browser")
            # A browser, a server, a kernel and a training on two cores: what fails once runs again, and both are told.
            if may_rerun:
                item.add_marker(pytest.mark.flaky(reruns=2))
            if missing:
                item.add_marker(pytest.mark.skip(reason="no Chromium here; on Debian: apt-get install chromium"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each module: Playwright keeps an event loop running for as long as it is open."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=find_chromium(), headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keeps a picture of every page of a test that failed, for whoever wants to know why."""
    report = yield
    if report.failed and report.when in ("setup", "call"):
        for number, page in enumerate(item.stash.get(OPENED, [])):
            with contextlib.suppress(Error):
                page.shoot(f"failed-{item.name}-{number}")
    return report


@pytest.fixture
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Watched]]:
    """Opens pages; at the end of the test none may have met an error."""
    opened: list[Watched] = []
    request.node.stash[OPENED] = opened

    def open_page(**options: object) -> Watched:
        opened.append(Watched(browser, **options))
        return opened[-1]

    yield open_page
    for each in opened:
        each.close()
    troubles = [trouble for each in opened for trouble in each.troubles]
    assert not troubles, "\n".join(["the page met trouble:", *troubles])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run store of a module's servers; whoever still works on it at the end is ended."""
    root = tmp_path_factory.mktemp("store")
    yield root
    end_processes_of(root)


@pytest.fixture(autouse=True)
def _leaves_nothing_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends what a test has left at work, passed or failed: the next one, or its own second try, has the cores alone."""
    server_names = [name for name in ("lab", "notebook7", "fresh_lab") if name in request.fixturenames]
    running = [request.getfixturevalue(name) for name in server_names]
    yield
    for server in running:
        server.stop_kernels()
        server.stop_runs()
        server.forget_settings()


@pytest.fixture
def fresh_lab(tmp_path: Path) -> Iterator[servers.Server]:
    """A JupyterLab of the test's own, with an empty run store."""
    (tmp_path / "lab").mkdir()
    server = servers.jupyter("lab", tmp_path / "lab", tmp_path / "store")
    yield server
    server.stop()
    end_processes_of(tmp_path / "store")


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """One JupyterLab for all tests that ask for no store of their own; what a test leaves at work there is ended."""
    store = tmp_path_factory.mktemp("lab-store")
    server = servers.jupyter("lab", tmp_path_factory.mktemp("lab"), store)
    yield server
    server.stop()
    end_processes_of(store)


@pytest.fixture(scope="module")
def notebook7(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[servers.Server]:
    server = servers.jupyter("notebook", tmp_path_factory.mktemp("notebook7"), store)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[servers.Server]:
    server = servers.dashboard(tmp_path_factory.mktemp("dashboard"), store)
    yield server
    server.stop()
