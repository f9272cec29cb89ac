"""Runs on several processes, in a process of their own that may fork: `python -m tests.scaling.crew PLAN.json`.

The plan is a list of starts, each `{"run", "devices", "options", "model", "on"}`: the run's folder, the number of
processes, options of training and of the network, and what is to be done when an event is written:
`[[event, number of it, what], ...]`, where `what` is a command and its value, or `["kill", rank]`. With `"free"` the
ranks find so many bytes of memory free; with `"limit"` all processes may take so many bytes more than now.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import torch

from lepton_lab.errors import RunFailed
from lepton_lab.runs.control import send_command
from lepton_lab.runs.events import EventLog, EventWriter
from lepton_lab.runs.states import ENDED
from lepton_lab.scaling import whether
from lepton_lab.scaling.together import train_together
from lepton_lab.specs import ModelSpec
from lepton_lab.training.commands import RunControl
from lepton_lab.training.failures import as_run_failed
from lepton_lab.training.loop import train
from tests.training.training_lab import spec, stripes

CNN = ModelSpec(name="cnn", options={"channels": 8, "stages": 2, "dropout": 0.2})
"""With batch norms and dropout, which are what processes could disagree about."""


def replace_options(options: dict[str, Any]) -> ModelSpec:
    """The CNN with other options."""
    return ModelSpec(name="cnn", options={**CNN.options, **options})


class Watched:
    """Events on disk; some of them have something done.

    Args:
        events: Where they go.
        reactions: As in the plan.
    """

    def __init__(self, events: EventWriter, reactions: list[Any]) -> None:
        self._events, self._reactions, self._seen = events, reactions, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._events, name)

    def append(self, event_type: str, /, **fields: Any) -> int:
        """Writes one event, and does what it is to set off."""
        number = self._events.append(event_type, **fields)
        self._seen[event_type] += 1
        for wanted, count, what in self._reactions:
            if (wanted, count) == (event_type, self._seen[event_type]):
                self._do(*what)
        return number

    def _do(self, command: str, value: Any = None) -> None:
        if command == "kill":
            ranks = sorted(psutil.Process().children(), key=lambda child: (child.create_time(), child.pid))
            os.kill(ranks[value].pid, signal.SIGKILL)
        else:
            send_command(self._events.run_dir, command, value, by="test")


def start(
    run: str, devices: int, options: dict[str, Any], on: list[Any], rows: list[int], model: dict[str, Any]
) -> None:
    """One start of a run."""
    network = ModelSpec(name="transformer", options=model) if "layers" in model else replace_options(model)
    run_dir = Path(run)
    (run_dir / "control").mkdir(parents=True, exist_ok=True)
    dataset = stripes(rows[0], num_validation=rows[1])
    with EventLog.open_writer(run_dir) as writer:
        if writer.state in ENDED:
            writer.append("RunQueued", resumed=True)
        writer.append("RunStarting", pid=os.getpid(), attempt=1, warm=False)
        events: Any = Watched(writer, on)
        try:
            if devices == 1:
                train(run_dir, dataset, network, spec(**options), events=events, control=RunControl(run_dir))
            else:
                train_together(
                    run_dir, dataset, network, spec(devices=devices, **options), events=events, compares=False
                )
        except (RunFailed, RuntimeError, MemoryError) as error:
            failed = as_run_failed(error)
            writer.append("RunFailed", reason=failed.reason, message=str(failed))


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in json.loads(Path(sys.argv[1]).read_text()):
        if "free" in each:
            whether.free_bytes = lambda free=each["free"]: free  # type: ignore[misc]
            whether.LEAST_BYTES = 0
        if "limit" in each:
            bound = psutil.Process().memory_info().data + each["limit"]
            resource.setrlimit(resource.RLIMIT_DATA, (bound, resource.RLIM_INFINITY))
        more = each.get("options", {}), each.get("on", []), each.get("rows", [97, 25]), each.get("model", {})
        start(each["run"], each["devices"], *more)
