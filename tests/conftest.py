"""What every test gets: a run store of its own, quiet threads, and the plugin that starts Jupyter servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["pytest_jupyter.jupyter_server"]

# Set before any test imports torch: waiting threads must not spin on the two cores of a small machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the long forms of the fault tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long tests out unless they are asked for; each has a fast form that always runs."""
    if config.getoption("--run-slow"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if "slow" not in item.keywords]


@pytest.fixture(scope="session", autouse=True)
def _no_store_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test may touch the user's own runs: the default store is a temporary one."""
    before = os.environ.get("LEPTON_HOME")
    home = tmp_path_factory.mktemp("lepton-home")
    os.environ["LEPTON_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["LEPTON_HOME"]
    else:
        os.environ["LEPTON_HOME"] = before
