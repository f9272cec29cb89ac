"""How many trials a Ray cluster has room for; asked by a process of its own, because Ray ends one whose cluster goes.

`python -m lepton_lab.tuning.room ADDRESS` prints what is free, as JSON by Ray's names of resources.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading

from lepton_lab.runs.ray_cluster import connect, fitting
from lepton_lab.specs import TrainSpec

ASK_SECONDS = 20.0
"""How often a cluster is asked: it may grow, and others use it too."""
_ANSWER_SECONDS = 60.0


class Room:
    """The room for trials on a cluster, asked for again and again by a thread.

    Args:
        spec: What a trial wants.
    """

    def __init__(self, spec: TrainSpec) -> None:
        self._spec, self._free = spec, 1
        self._placed, self._placed_then = 0, 0
        self._over = threading.Event()
        threading.Thread(target=self._ask, name="cluster-room", daemon=True).start()

    def parallel(self, placed: int) -> int:
        """How many trials may be at work; at least one, which waits where there is no room.

        Args:
            placed: Trials of the study that have their place on the cluster now.
        """
        self._placed = placed
        return max(1, self._placed_then + self._free)

    def _ask(self) -> None:
        while True:
            before, free = self._placed, self._asked()
            if free is not None:
                self._placed_then, self._free = before, free
            self._over.wait(ASK_SECONDS if free is not None else 1.0)

    def _asked(self) -> int | None:
        command = [sys.executable, "-m", __name__, self._spec.cluster or "auto"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True)
            return fitting(self._spec, json.loads(done.stdout.splitlines()[-1]))
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None  # the cluster is away; its trials say so themselves


def main(arguments: list[str]) -> int:
    """The command line."""
    ray = connect(arguments[0], "The search on a cluster")
    print(json.dumps(ray.available_resources()))
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
