"""What a session does with endpoints, and with the variants of a run that they may serve."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from lepton_lab.errors import EndpointError, UnknownName
from lepton_lab.runs.paths import Store
from lepton_lab.session.endpoint import Endpoint
from lepton_lab.session.host import Host
from lepton_lab.session.lists import EndpointList
from lepton_lab.specs import CompressSpec, DeploySpec

if TYPE_CHECKING:
    from lepton_lab.runs.endpoints import EndpointSummary
    from lepton_lab.serving.client import Client
    from lepton_lab.session.compression import Compression
    from lepton_lab.session.facade import Session
    from lepton_lab.session.run import Run
    from lepton_lab.session.waiting import Watch


class EndpointCalls:
    """The calls of a session that put networks online and look after them."""

    store: Store
    host: Host
    _last_endpoint: str | None

    if TYPE_CHECKING:

        def waiting(self, run: Run) -> AbstractContextManager[Watch | None]:
            """Shows a run's progress; see `Session.waiting`."""

    def compress(self, run: Run, options: dict[str, Any], wait: bool | None = None) -> Compression:
        """Has a run's variants made; waits for the run to end first.

        Raises:
            SpecError: If an option cannot have its value.
            RunError: If the run cannot be compressed.
        """
        from lepton_lab.compression.record import request

        spec = CompressSpec.parse(options)
        if not run.ended:
            with self.waiting(run) as watch:
                run.wait(watch=watch)
        request(self.store, run.id, spec)
        return run.compression.wait() if (not self.host.is_notebook if wait is None else wait) else run.compression

    def deploy(self, run: Run, options: dict[str, Any]) -> Endpoint:
        """Puts a run's network online; waits for its bundle, and until the endpoint answers.

        Raises:
            EndpointError: If it cannot start.
            RunFailed: If the run failed.
        """
        from lepton_lab.serving import lifecycle

        spec = DeploySpec.parse(options)
        if not run.ended:
            with self.waiting(run) as watch:
                run.wait(watch=watch)
        folder = None
        if spec.variant is not None:
            from lepton_lab.compression.record import bundle_folder

            folder = bundle_folder(run.record.dir, spec.variant)
        summary, key = lifecycle.deploy(self.store, run.id, spec, bundle_folder=folder)
        self._last_endpoint = summary.name
        return Endpoint(summary.name, cast("Session", self), key)

    def endpoint(self, name: str | None = None) -> Endpoint:
        """The endpoint of this name; by default the last one deployed, else the only one.

        Raises:
            UnknownName: If there is no such endpoint.
            EndpointError: If there is none at all, or several to choose from.
        """
        known = [summary.name for summary in self.endpoints()]
        name = name or self._last_endpoint or (known[0] if len(known) == 1 else None)
        if name is None:
            raise EndpointError(
                f"Which endpoint? There are {', '.join(known)}."
                if known
                else "There is no endpoint yet; type %lepton deploy --name digits."
            )
        if name not in known:
            raise UnknownName("endpoint", name, known)
        return Endpoint(name, cast("Session", self))

    def endpoints(self) -> EndpointList:
        """The endpoints of the store."""
        from lepton_lab.runs.endpoints import list_endpoints

        return EndpointList(list_endpoints(self.store))

    def has_endpoint(self, name: str) -> bool:
        """Whether the store has an endpoint of this name."""
        return any(summary.name == name for summary in self.endpoints())

    def endpoint_summary(self, name: str) -> EndpointSummary:
        """Where an endpoint stands now.

        Raises:
            UnknownName: If it is gone.
        """
        by_name = {summary.name: summary for summary in self.endpoints()}
        if name not in by_name:
            raise UnknownName("endpoint", name, by_name)
        return by_name[name]

    def client_of(self, name: str) -> Client:
        """A client of an endpoint, with the owner's own key, which is kept beside its record.

        Raises:
            EndpointError: If it is stopped.
        """
        from lepton_lab.serving.client import Client

        if str(self.endpoint_summary(name).state) == "stopped":
            raise EndpointError(f"The endpoint {name} is stopped; deploy under this name to start it again.")
        return Client.of(self.store, name)
