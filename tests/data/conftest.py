"""A private store for each test, and the real material where it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lepton_lab.runs import Store
from lepton_lab.session import Host, Session
from tests.processes import end_processes_of


@dataclass(frozen=True)
class FolderStore:
    """All that the data room needs of a store: its root."""

    root: Path


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """An empty store."""
    return FolderStore(tmp_path / "store")


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real datasets, named by LEPTON_TEST_DATA or beside the repository."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("LEPTON_TEST_DATA", default)).expanduser()
    if not (folder / "fashion-mnist").is_dir():
        pytest.skip(f"NO REAL DATA: {folder} has no fashion-mnist; set LEPTON_TEST_DATA to the folder of test sets")
    return folder


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The public one-liners, on one store for all tests: a session has a warm worker, which costs seconds to start."""
    root = tmp_path_factory.mktemp("session")
    yield Session(Store(root).prepare(), Host(), who="tests")
    end_processes_of(root)
