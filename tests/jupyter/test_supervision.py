"""The server sees to it that somebody cares for the runs: a supervisor that was killed is back, without any face."""

from __future__ import annotations

import asyncio

import pytest

from lepton_lab.runs.launch import poke
from lepton_lab.runs.paths import Store
from lepton_lab.runs.queue import Queue
from lepton_lab.runs.record import create_run
from tests.processes import end_processes_of, processes_of

PATIENCE_SECONDS = 15.0


@pytest.fixture
def jp_server_config(jp_server_config, store: Store):
    jp_server_config.LeptonExtension.supervise = True
    yield jp_server_config
    end_processes_of(store.root)


async def test_a_waiting_run_without_a_supervisor_gets_one(jp_serverapp, jp_ws_fetch, store, spec):
    run = create_run(store, spec, submitted=True)
    Queue(store).enqueue(run.run_id)
    assert not processes_of(store.root)
    await jp_ws_fetch("lepton-lab", "api", "ws")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not poke(store):
            await asyncio.sleep(0.05)
        while run.summary().state == "queued":
            await asyncio.sleep(0.05)
