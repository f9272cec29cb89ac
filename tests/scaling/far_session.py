"""A person's session on a host of its own: `python -m tests.scaling.far_session STORE CLUSTER EPOCHS`."""

from __future__ import annotations

import sys
from pathlib import Path

from lepton_lab.runs import Store
from lepton_lab.session import Host, Session


def main(store: str, cluster: str, epochs: str) -> None:
    """Trains on the cluster and prints how the run ended."""
    session = Session(Store(Path(store)).prepare(), Host())
    model = session.select_model("cnn", session.load_data("digits"), channels=8, stages=2)
    options = {"seed": 3, "batch_size": 50, "threads": 1, "checkpoint_every_seconds": 0.5, "name": "far"}
    run = model.train(wait=True, epochs=int(epochs), cluster=cluster, workers=2, **options)
    print(run.state)


if __name__ == "__main__":
    main(*sys.argv[1:])
