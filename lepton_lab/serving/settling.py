"""What is counted when the network has answered a request, or could not: bill, versions, drift, shadow."""

from __future__ import annotations

from lepton_lab.serving.batcher import Answer
from lepton_lab.serving.engine import ClusterAway, Inputs, ValuesRefused
from lepton_lab.serving.host import Host, Served
from lepton_lab.serving.requests import RequestError, Ticket
from lepton_lab.serving.shadow import Shadows


class Settling:
    """Counts for one endpoint.

    Args:
        host: The endpoint.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._shadows = Shadows(host.metrics)

    def answered(self, served: Served, inputs: Inputs, answer: Answer, ticket: Ticket) -> None:
        """Counts an answer.

        Args:
            served: The version that gave it.
            inputs: The rows that it was given.
            answer: What it said, and how long that took.
            ticket: The request's; rows and time go on its bill.
        """
        self._host.metrics.by_version[served.version.version, "answered"] += 1
        served.drift.observe(inputs, answer.scores)
        shadow = self._host.shadow
        if shadow is not None:
            self._shadows.send(shadow, inputs, answer.scores)
        ticket.rows, ticket.compute_seconds = len(inputs[0]), answer.compute_seconds

    def failed(self, served: Served, error: Exception) -> Exception:
        """Counts a failure of the network; gives what the client is to be told of it."""
        self._host.metrics.by_version[served.version.version, "failed"] += 1
        if isinstance(error, ClusterAway):
            return RequestError(503, str(error), retry_after="5")
        return RequestError(422, str(error), "inputs") if isinstance(error, ValuesRefused) else error
