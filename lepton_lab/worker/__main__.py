"""The worker's command line.

JOB is `--run ID`, `--spare`, `--export ID`, `--replay ID`, `--formats ID` or `--compress ID`. A spare imports torch and
the kernel, warms them up without touching a GPU, and then waits for one line on its standard input,
`{"run": ID, "environment": {...}}`; when the input ends it goes.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import redirect_output
from lepton_lab.runs.seat import WORKER_LOG
from lepton_lab.worker.afterwards import compress_run, export_again, replay_again, write_formats_of
from lepton_lab.worker.seated import work

CALM_SECONDS = 2.0
"""How long a spare waits for a job before it loads the exporter, during which it would not hear of one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the worker and returns its exit status: 0 when the run ended as it should, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m lepton_lab.worker", description="Trains one run of a store.")
    parser.add_argument("--store", required=True, type=Path, help="folder of the run store")
    job = parser.add_mutually_exclusive_group(required=True)
    job.add_argument("--run", metavar="ID", help="the run to work on")
    job.add_argument("--spare", action="store_true", help="warm up and wait for a run on standard input")
    job.add_argument("--export", metavar="ID", help="a finished run whose worker died before its bundle was written")
    job.add_argument("--replay", metavar="ID", help="a finished run to train again from a checkpoint, for comparison")
    parser.add_argument("--answer", type=Path, help="with --replay: the file for what came out")
    job.add_argument("--compress", metavar="ID", help="a finished run whose variants are wanted")
    job.add_argument("--formats", metavar="ID", help="a finished run whose network is wanted for other tools")
    options = parser.parse_args(arguments)
    _quiet_threads()
    store = Store(options.store)
    if options.replay:
        return replay_again(store, options.replay, options.answer)
    if options.export:
        return export_again(store, options.export)
    if options.formats:
        return write_formats_of(store, options.formats)
    if options.compress:
        return compress_run(store, options.compress)
    if not options.spare:
        return work(store, options.run)
    warm_up()
    if not _is_job_there(CALM_SECONDS):
        warm_up_export()
    line = sys.stdin.readline()
    if not line.strip():
        return 0
    run_id = _take_job(json.loads(line))
    redirect_output(store.run_dir(run_id) / WORKER_LOG)
    return work(store, run_id)


def _quiet_threads() -> None:
    """Threads that wait must not spin; this has to be said before torch loads its thread libraries."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def warm_up() -> None:
    """Imports all that a run needs and takes one tiny step of each kind, on the CPU alone."""
    import torch

    import lepton_lab.data.loading
    import lepton_lab.evaluation.report
    import lepton_lab.training.loop  # noqa: F401
    from lepton_lab.models.registry import build
    from lepton_lab.specs import ModelSpec, Problem
    from lepton_lab.training.optimizers import AdamW

    torch.set_num_threads(1)
    problem = Problem("classification", "image", (1, 8, 8), (2,))
    for name in ("cnn", "rnn"):
        module = build(ModelSpec(name=name), problem)
        module(torch.zeros(4, 1, 8, 8)).sum().backward()
        AdamW(module.parameters(), 0.0).step(0.0)


def _is_job_there(seconds: float) -> bool:
    """Whether the spare gets its job, or its end, within so many seconds."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def warm_up_export() -> None:
    """Loads the exporter while the spare waits, so that a bundle exists soon after its run's end.

    Never beside a run: it draws random numbers and changes torch's settings for as long as it works, and a run that
    trains meanwhile is not the same a second time.
    """
    from lepton_lab.errors import MissingExtra
    from lepton_lab.serving.export import warm_up as load_exporter

    with suppress(MissingExtra, ImportError):
        load_exporter()


def _take_job(job: dict[str, Any]) -> str:
    """Takes over the variables that come with a spare's run (which GPU is its own) and returns the run's name."""
    os.environ.update(job.get("environment", {}))
    return str(job["run"])


if __name__ == "__main__":
    sys.exit(main())
