"""What stands on a cluster's hosts for an endpoint: one copy of a version's network, and nothing else.

Keys, preparation, answers and accounts stay with the endpoint's own server (`remote`); a replica gets prepared rows
and gives scores. It needs lepton_lab with the extra `serve` on its host, and no shared folder: the bundle travels with
the deployment and is verified again where it arrives.
"""

from __future__ import annotations

import numpy as np

from lepton_lab.serving.bundle import verified
from lepton_lab.serving.engine import Engine, Inputs


class Replica:
    """One copy of a network on some host of the cluster.

    Args:
        manifest: The bundle's record, as it lies on disk.
        files: The bundle's files by name.
        threads: CPU threads of the engine; `None` for what fits the network.
    """

    def __init__(self, manifest: bytes, files: dict[str, bytes], threads: int | None) -> None:
        self._engine = Engine(verified(manifest, files), threads)
        self._engine.warm_up()

    def run(self, inputs: Inputs) -> np.ndarray:
        """The network's answers to prepared rows, as `Engine.run` gives them."""
        return self._engine.run(tuple(np.asarray(each) for each in inputs))
