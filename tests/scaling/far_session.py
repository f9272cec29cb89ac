"""A person's session on a host of its own: `python -m tests.scaling.far_session STORE CLUSTER EPOCHS|take`."""

from __future__ import annotations

import sys
from pathlib import Path

from lepton_lab.runs import Store
from lepton_lab.session import Host, Session


def main(store: str, cluster: str, what: str) -> None:
    """Trains on the cluster, or takes up the run of a lost host; prints how the run ended."""
    session = Session(Store(Path(store)).prepare(), Host())
    if what == "take":
        run = session.import_run("far", move=True)
        run.resume()
        run.wait()
    else:
        model = session.select_model("cnn", session.load_data("digits"), channels=8, stages=2)
        options = {"seed": 3, "batch_size": 50, "threads": 1, "checkpoint_every_seconds": 0.5, "name": "far"}
        run = model.train(wait=True, epochs=int(what), cluster=cluster, workers=2, **options)
    print(run.state)


if __name__ == "__main__":
    main(*sys.argv[1:])
