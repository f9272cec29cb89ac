"""What every test gets: a run store of its own and quiet threads."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.benchmarks.rows import Row, put, row
from tests.ledger import Ledger
from tests.processes import end_processes_below, end_processes_of
from tests.storing import Bucket, bucket

# Set before any test imports torch: waiting threads must not spin on the two cores of a small machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tests read English, whatever the machine's language is; those of other languages ask for them.
os.environ["LEPTON_LANG"] = "en"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the long forms of the fault tests")
    parser.addoption("--figures", metavar="FILE", help="write what the tests measure, and the goals, as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long tests out unless they are asked for; each has a fast form that always runs."""
    if config.getoption("--run-slow"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if "slow" not in item.keywords]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` test in an event loop of its own; the Jupyter server's tests bring theirs."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or "jp_asyncio_loop" in pyfuncitem.fixturenames:
        return None
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
    return True


@pytest.fixture(scope="session", autouse=True)
def _no_store_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test may touch the user's own runs: the default store is a temporary one."""
    before = os.environ.get("LEPTON_HOME")
    home = tmp_path_factory.mktemp("lepton-home")
    os.environ["LEPTON_HOME"] = str(home)
    yield home
    end_processes_of(home)
    if before is None:
        del os.environ["LEPTON_HOME"]
    else:
        os.environ["LEPTON_HOME"] = before


@pytest.fixture(scope="module", autouse=True)
def _folders_of_tests() -> Iterator[list[Path]]:
    """Ends, with each module, what its tests have left at work in their own folders: a supervisor waits for long."""
    folders: list[Path] = []
    yield folders
    if folders:
        end_processes_below(folders)


@pytest.fixture(autouse=True)
def _folder_is_known(request: pytest.FixtureRequest, _folders_of_tests: list[Path]) -> None:
    if "tmp_path" in request.fixturenames:
        _folders_of_tests.append(request.getfixturevalue("tmp_path"))


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Iterator[Callable[..., None]]:
    """Takes what was measured and its goal, `figure("runs", "lost runs", [0], "== 0")`; a missed goal fails."""
    rows: list[Row] = []

    def take(issue: str, measure: str, samples: Sequence[float], goal: str) -> None:
        rows.append(row(issue, measure, samples, goal))
        assert rows[-1].holds, f"{measure} is {rows[-1].value}; the goal is {goal}"

    yield take
    path = pytestconfig.getoption("--figures")
    if path and rows:
        print()
        put(rows, Path(path))


@pytest.fixture(scope="session")
def repeat(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """How often a fault is tried: `repeat(few, many)` is many in the long form, `make faults`, few in each test run."""
    is_long = bool(pytestconfig.getoption("--run-slow"))
    return lambda few, many: many if is_long else few


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config, figure: Callable[..., None]) -> Iterator[Ledger]:
    """Takes note of every fault that is tried; the long form ends with the table of all of them."""
    ledger = Ledger()
    yield ledger
    if pytestconfig.getoption("--figures"):
        print(f"\n{ledger.table()}")
        ledger.report(figure)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Bucket]:
    """An S3-compatible server over HTTP, one for all tests."""
    with bucket() as made:
        yield made


@pytest.fixture
def s3(s3_server: Bucket, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a place of the test's own on it, with the credentials in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"{s3_server.url}/{uuid4().hex[:8]}"


@dataclass
class TrainedLab:
    """A store with one finished run of digits, and a terminal's session on it."""

    store: object
    session: object
    run: object


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainedLab]:
    """One real run, trained once for all tests that only look at it or put it online."""
    from lepton_lab.runs import Store
    from lepton_lab.session import Host, Session

    store = Store(tmp_path_factory.mktemp("trained"))
    session = Session(store, Host(), who="tests")
    digits = session.load_data("digits")
    run = session.select_model("cnn", digits, channels=8).train(wait=True, epochs=6)
    yield TrainedLab(store, session, run)
    end_processes_of(store.root)


@pytest.fixture
def ended_after() -> Iterator[Callable[[Path], Path]]:
    """Names stores whose processes (supervisor, workers, endpoints) end with the test."""
    roots: list[Path] = []

    def remember(root: Path) -> Path:
        roots.append(root)
        return root

    yield remember
    for root in roots:
        end_processes_of(root)
