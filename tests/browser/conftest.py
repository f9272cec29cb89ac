"""A real Chromium and real Jupyter servers, each with a run store of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.browser import servers
from tests.browser.chromium import FLAGS, Watched, find_chromium
from tests.processes import end_processes_of

OPENED = pytest.StashKey[list[Watched]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies here; without a Chromium it is skipped, and says how to get one."""
    here = Path(__file__).parent
    missing = find_chromium() is None
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("browser")
            # A browser, a server, a kernel and a training on two cores: what fails once runs again, and both are told.
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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Iterator[servers.Server]:
    server = servers.jupyter("lab", tmp_path_factory.mktemp("lab"), store)
    yield server
    server.stop()


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
