"""Which programs the supervisor starts: the seam where tests put a toy worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import python_command


@dataclass(frozen=True)
class Programs:
    """The modules that are run with `python -m`."""

    worker_module: str = "lepton_lab.worker"
    server_module: str = "lepton_lab.serving.server"
    study_module: str = "lepton_lab.tuning.driver"

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Programs:
        """The modules that `LEPTON_WORKER_MODULE` and `LEPTON_SERVER_MODULE` name, else the package's own."""
        return cls(
            env.get("LEPTON_WORKER_MODULE") or cls.worker_module,
            env.get("LEPTON_SERVER_MODULE") or cls.server_module,
        )

    def worker(self, store: Store, run_id: str) -> list[str]:
        """The command line of a worker for a run."""
        return python_command(self.worker_module, "--store", str(store.root), "--run", run_id)

    def spare(self, store: Store) -> list[str]:
        """The command line of a worker that waits for its run on stdin."""
        return python_command(self.worker_module, "--store", str(store.root), "--spare")

    def export(self, store: Store, run_id: str) -> list[str]:
        """The command line of a worker that writes the bundle of a finished run."""
        return python_command(self.worker_module, "--store", str(store.root), "--export", run_id)

    def replay(self, store: Store, run_id: str, answer: Path) -> list[str]:
        """The command line of a worker that trains a finished run again from a checkpoint, and says what came out."""
        return python_command(
            self.worker_module, "--store", str(store.root), "--replay", run_id, "--answer", str(answer)
        )

    def compress(self, store: Store, run_id: str) -> list[str]:
        """The command line of a worker that makes the variants of a finished run."""
        return python_command(self.worker_module, "--store", str(store.root), "--compress", run_id)

    def formats(self, store: Store, run_id: str) -> list[str]:
        """The command line of a worker that writes a finished run's network in the formats of other tools."""
        return python_command(self.worker_module, "--store", str(store.root), "--formats", run_id)

    def server(self, store: Store, name: str) -> list[str]:
        """The command line of an endpoint's server."""
        return python_command(self.server_module, "--store", str(store.root), "--name", name)

    def study(self, store: Store, name: str) -> list[str]:
        """The command line of the driver of a study."""
        return python_command(self.study_module, "--store", str(store.root), "--name", name)
