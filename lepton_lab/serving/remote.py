"""An endpoint's network on a Ray cluster: the server keeps the door, Ray Serve runs the copies.

The endpoint's process is the same as on one machine, with its keys, usage, versions, drift and deadlines; only the
batches go to replicas on other hosts. A network's answer depends on its input alone, so a batch whose replica dies is
given to another one, and no request fails. Each version is a Serve application of its own, named by the bundle's hash
and what it was given: a server that is started again finds it, and while versions are swapped both answer.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from lepton_lab.errors import ServingError
from lepton_lab.runs.endpoints import EndpointRecord
from lepton_lab.runs.ray_cluster import answers, connect
from lepton_lab.serving.bundle import Bundle
from lepton_lab.serving.engine import ClusterAway, Engine, Inputs, ValuesRefused
from lepton_lab.serving.leaving import application_prefix, forget, note
from lepton_lab.serving.replica import Replica

log = logging.getLogger("lepton_lab.serving")

START_SECONDS = 90.0
ANSWER_SECONDS = 30.0
"""How long a batch may be on its way, other replicas included."""
AGAIN_SECONDS = 0.05
LOOK_SECONDS = 2.0
"""How often a batch that is on its way looks whether the cluster is still there."""


class RemoteEngine(Engine):
    """The replicas of one version; called as an `Engine` is.

    Args:
        bundle: The verified bundle.
        record: What is wanted: the cluster, how many replicas and what each takes.
        folder: The endpoint's folder, which tells endpoints of the same name in different stores apart.

    Raises:
        MissingExtra: If Ray is not installed.
        RunError: If the cluster does not answer.
        ServingError: If it has no room for a single replica.
    """

    def __init__(self, bundle: Bundle, record: EndpointRecord, folder: Path) -> None:
        self.inputs = bundle.manifest.inputs
        self.output_name = bundle.manifest.output.name
        os.environ.setdefault("RAY_SERVE_QUEUE_LENGTH_RESPONSE_DEADLINE_S", "1.0")
        ray = connect(record.cluster or "auto", "Serving on a cluster")
        from ray import serve

        self._head, self._folder = str(ray.get_runtime_context().gcs_address), folder
        note(folder, self._head)

        self._serve = serve
        asked = repr((record.replicas, record.max_replicas, record.replica_cpus, record.threads))
        short = hashlib.sha256(asked.encode()).hexdigest()[:4]
        self._name = f"{application_prefix(folder)}{bundle.sha256[:12]}-{short}"
        self._handle = self._application(bundle, record)

    def run(self, inputs: Inputs) -> np.ndarray:
        """The network's answers; a batch whose replica dies goes to another one."""
        from ray.exceptions import RayActorError, RayTaskError
        from ray.serve.exceptions import RayServeException

        deadline = time.monotonic() + ANSWER_SECONDS
        while not self.is_lost:
            asked = self._handle.run.remote(inputs)
            try:
                return self._answer(asked, deadline)
            except RayTaskError as error:
                if isinstance(error.cause, ValuesRefused):
                    raise error.cause from None
                raise ServingError(f"A replica could not answer: {error.cause}") from None
            except (RayActorError, RayServeException):
                if self._is_away(deadline):
                    break
                log.warning("a replica of %s has gone; its batch goes to another one", self._name)
                time.sleep(AGAIN_SECONDS)
            except TimeoutError:
                break
        self.is_lost = True  # Serve brings a replica back sooner than that, unless it is gone itself
        raise ClusterAway("The cluster does not answer any more; the endpoint waits for it to come back.")

    def _answer(self, asked: Any, deadline: float) -> np.ndarray:
        """What a replica says, looking now and then whether there is a cluster still.

        Raises:
            TimeoutError: There is none, or it takes too long.
        """
        while True:
            try:
                answer: np.ndarray = asked.result(timeout_s=LOOK_SECONDS)
                return answer
            except TimeoutError:
                if self._is_away(deadline):
                    raise

    def _is_away(self, deadline: float) -> bool:
        return self.is_lost or time.monotonic() > deadline or not answers(self._head)

    def close(self) -> None:
        """Takes the version off the cluster."""
        if self.is_lost:
            return
        try:
            self._serve.delete(self._name, _blocking=False)
            forget(self._serve, self._folder)
        except Exception as error:  # whatever a cluster that is going away raises
            log.warning("%s could not be taken off the cluster: %s", self._name, error)

    def _application(self, bundle: Bundle, record: EndpointRecord) -> Any:
        """The handle of the version's application, started where it is not there."""
        serve = self._serve
        found = serve.status().applications.get(self._name)
        if found is not None and found.status == "RUNNING":  # of a server before this one
            return serve.get_app_handle(self._name)
        deployment = serve.deployment(
            name="network",
            autoscaling_config={
                "min_replicas": record.replicas,
                "max_replicas": max(record.replicas, record.max_replicas),
                "target_ongoing_requests": 1,
                "upscale_delay_s": 5,
            },
            max_ongoing_requests=2,
            ray_actor_options={"num_cpus": record.replica_cpus},
            health_check_period_s=2,
        )(Replica)
        asked = deployment.bind(bundle.manifest.to_json(), bundle.files, record.threads)
        return self._started(lambda: serve.run(asked, name=self._name, route_prefix=None))

    def _started(self, run: Callable[[], Any]) -> Any:
        """What `run` gives, which waits without an end where the cluster has no room."""
        outcome: Future[Any] = Future()

        def work() -> None:
            try:
                outcome.set_result(run())
            except Exception as error:  # Ray's own, of no common base
                outcome.set_exception(error)

        threading.Thread(target=work, name="lepton-cluster", daemon=True).start()
        try:
            return outcome.result(START_SECONDS)
        except TimeoutError:
            self.close()
            raise ServingError(
                f"No replica was ready within {START_SECONDS:g} s. The cluster has no room for one (replica_cpus), or "
                "its hosts lack lepton_lab with the extra 'serve'."
            ) from None
        except Exception as error:
            raise ServingError(f"The cluster could not start a replica: {str(error)[:300]}") from None
