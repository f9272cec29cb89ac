"""The REST handlers: what the store holds, and the commands a person gives from the panel.

Reading and writing the store happens in a thread; the server's event loop never waits for a disk.
"""

from __future__ import annotations

from lepton_lab.errors import SpecError
from lepton_lab.jupyter import board, commands
from lepton_lab.jupyter.base import LeptonHandler, closed
from lepton_lab.jupyter.feed import curve_json
from lepton_lab.runs.endpoints import list_endpoints, stop_endpoint
from lepton_lab.runs.record import RunRecord
from lepton_lab.specs import MODEL_OPTIONS, SPECS


class StatusHandler(LeptonHandler):
    """GET status: which store, whether its supervisor lives, how many runs, which devices."""

    @closed
    async def get(self) -> None:
        """Answers with the store's state at a glance."""
        self.reply(await self.hub.in_thread(board.status, self.hub.store))


class SchemaHandler(LeptonHandler):
    """GET schema: the JSON schema of every spec, for forms."""

    @closed
    async def get(self) -> None:
        """Answers with the schemas of the specs and of each network's options."""
        specs = {name: spec.model_json_schema() for name, spec in SPECS.items()}
        options = {name: spec.model_json_schema() for name, spec in MODEL_OPTIONS.items()}
        self.reply({"specs": specs, "model_options": options})


class RunsHandler(LeptonHandler):
    """GET runs: the summaries, newest first; `?offset=2000&limit=1000` for a part of them."""

    @closed
    async def get(self) -> None:
        """Answers with all runs, or some; one with a broken folder says so in its summary."""
        offset, limit = self._count("offset"), self._count("limit")
        self.reply({"runs": await self.hub.runs(offset or 0, limit)})

    def _count(self, name: str) -> int | None:
        given = self.get_query_argument(name, None)
        if given is not None and not (given.isascii() and given.isdigit()):
            raise SpecError(f"{name} is {given!r}; give a whole number, 0 or more.")
        return None if given is None else int(given)


class RunHandler(LeptonHandler):
    """GET runs/<id>: one run."""

    @closed
    async def get(self, run_id: str) -> None:
        """Answers with what was asked and where the run stands."""
        self.reply(await self.hub.in_thread(board.run_details, self.hub.store, run_id))


class ReportHandler(LeptonHandler):
    """GET runs/<id>/report: the evaluation on the test part."""

    @closed
    async def get(self, run_id: str) -> None:
        """Answers with the report, or null while there is none."""
        self.reply(await self.hub.in_thread(lambda: RunRecord.find(self.hub.store, run_id).report()))


class CurveHandler(LeptonHandler):
    """GET runs/<id>/curve.json: the whole curve as JSON, for scripts."""

    @closed
    async def get(self, run_id: str) -> None:
        """Answers with every series and mark."""
        self.reply(await self.hub.in_thread(curve_json, self.hub.store, run_id))


class CommandsHandler(LeptonHandler):
    """POST runs/<id>/commands: pause, resume, stop, a new learning rate, a checkpoint now."""

    @closed
    async def post(self, run_id: str) -> None:
        """Puts the command into the run's control folder; events tell what came of it."""
        body = self.body_json()
        self.reply(await self.hub.in_thread(commands.give, self.hub.store, run_id, body), status=202)
        self.hub.look_now()


class EndpointsHandler(LeptonHandler):
    """GET endpoints: the summaries."""

    @closed
    async def get(self) -> None:
        """Answers with all endpoints; keys are not part of a summary."""
        endpoints = await self.hub.in_thread(list_endpoints, self.hub.store)
        self.reply({"endpoints": [endpoint.to_page() for endpoint in endpoints]})


class EndpointStopHandler(LeptonHandler):
    """POST endpoints/<name>/stop."""

    @closed
    async def post(self, name: str) -> None:
        """Stops the endpoint's server; its versions stay."""
        await self.hub.in_thread(stop_endpoint, self.hub.store, name)
        self.reply({"name": name, "state": "stopped"})
        self.hub.look_now()
