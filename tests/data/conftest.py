"""A private store for each test, and the real material where it is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


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
