"""A Jupyter server with the extension, on a store of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

# Here and not as a plugin of all tests: it closes the event loop after each test, whoever uses it.
from pytest_jupyter.jupyter_server import *  # noqa: F403
from traitlets.config import Config

from lepton_lab.runs.paths import Store
from lepton_lab.runs.record import create_run
from lepton_lab.specs import RunSpec

API = ("lepton-lab", "api")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store").prepare()


@pytest.fixture
def jp_server_config(store: Store) -> Config:
    return Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"lepton_lab.jupyter": True, "jupyter_server_terminals": False},
                "allow_unauthenticated_access": False,
            },
            "LeptonExtension": {"store_root": str(store.root), "supervise": False},
        }
    )


@pytest.fixture
def spec() -> RunSpec:
    return RunSpec.parse({"data": {"name": "digits"}, "model": {"name": "cnn"}, "train": {"epochs": 2}})


@pytest.fixture
def run(store: Store, spec: RunSpec):
    """A run that was made but never queued: no supervisor takes it up."""
    return create_run(store, spec)


@pytest.fixture
def get_json(jp_fetch) -> Callable[..., Any]:
    async def get(*parts: str) -> Any:
        return json.loads((await jp_fetch(*API, *parts)).body)

    return get
