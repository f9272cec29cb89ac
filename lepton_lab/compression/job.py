"""What the worker does for `compress`: variant by variant, each measured on the test rows, then all timed in turns."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save

from lepton_lab.compression import measure
from lepton_lab.compression.record import (
    ORIGINAL,
    Table,
    Variant,
    bundle_folder,
    choose,
    folder_of,
    variant_folder,
    write_table,
)
from lepton_lab.compression.variants import Workshop
from lepton_lab.errors import LeptonError, RunError
from lepton_lab.runs.atomic import read_json
from lepton_lab.runs.process import identity
from lepton_lab.runs.record import RunRecord
from lepton_lab.serving.answers import SERVED_TASKS
from lepton_lab.serving.bundle import Bundle, load
from lepton_lab.serving.engine import Engine, Inputs
from lepton_lab.serving.export import answering
from lepton_lab.serving.waiting import bundle_of_run
from lepton_lab.specs import TASKS, CompressSpec
from lepton_lab.training.plan import bfloat16_unit
from lepton_lab.training.restore import trained

if TYPE_CHECKING:
    from lepton_lab.data import PreparedDataset

SAY_SECONDS = 0.5


def compress(record: RunRecord) -> Table:
    """Makes and measures all that the run's `compression/spec.json` asks for.

    Args:
        record: A finished run with a bundle.

    Returns:
        The finished table; it stands in `table.json` as well, and did so row by row.

    Raises:
        LeptonError: If the run cannot be compressed at all; a recipe that does not suit it is a row with a problem.
    """
    spec = CompressSpec.parse(read_json(folder_of(record.dir) / "spec.json"))
    table = Table(record.run_id, "running", "loading the network", process=_whoami())
    write_table(record.dir, table)
    network, dataset = trained(record)
    if dataset.task not in SERVED_TASKS:
        raise RunError(f"{record.run_id} was trained for {dataset.task}, which compress cannot judge.")
    task = TASKS[dataset.task]
    table.metric, table.higher_is_better = task.metric, task.higher_is_better
    job = _Job(record, spec, table, network, dataset)
    job.run()
    return table


class _Job:
    """One compression."""

    def __init__(
        self,
        record: RunRecord,
        spec: CompressSpec,
        table: Table,
        network: torch.nn.Module,
        dataset: PreparedDataset,
    ) -> None:
        self._record, self._spec, self._table, self._network, self._dataset = record, spec, table, network, dataset
        split = dataset.splits["test"]
        if not len(split):
            raise RunError("There is no test part to compare variants on; raise test_fraction and train again.")
        self._judge = measure.Judge(dataset, network)
        self._said_at = 0.0
        self._engines: dict[str, Engine] = {}
        self._expected = measure.Said(np.empty(0, np.float32), float("nan"))

    def run(self) -> None:
        """Fills the table."""
        table = self._table
        table.test_rows = self._judge.num_rows
        state = {name: tensor.contiguous() for name, tensor in self._network.state_dict().items()}
        table.safetensors_bytes = len(save(state))
        self._add_original()
        recipes = self._spec.recipe_names()
        model, tiles = self._record.spec().model, _suits_tiles(self._record)
        workshop = Workshop(self._network, model, self._dataset, self._spec, self._say, in_bfloat16=tiles)
        for number, recipe in enumerate(recipes):
            table.step, table.done_fraction = recipe, number / len(recipes)
            write_table(self._record.dir, table)
            table.rows.append(self._variant(workshop, recipe))
            table.chosen, table.reason = choose(table, self._spec)
        self._time()
        table.chosen, table.reason = choose(table, self._spec)
        table.state, table.step, table.done_fraction = "finished", "", 1.0
        write_table(self._record.dir, table)

    def _say(self, what: str, share: float) -> None:
        """Notes what is being fine-tuned, about twice a second."""
        now = time.monotonic()
        if now - self._said_at > SAY_SECONDS:
            self._said_at = now
            self._table.step = f"{what}: fine-tuning, {share:.0%}"
            write_table(self._record.dir, self._table)

    def _add_original(self) -> None:
        self._table.step = "reading the original's bundle"
        write_table(self._record.dir, self._table)
        bundle = bundle_of_run(self._record.store, self._record.run_id)  # the run's worker may be writing it still
        engine = self._engines[ORIGINAL] = Engine(bundle, threads=1)
        self._expected = self._judge.answers(engine)
        self._table.rows.append(self._measured(ORIGINAL, bundle, self._expected, 0.0))

    def _variant(self, workshop: Workshop, recipe: str) -> Variant:
        """Makes and measures one variant; a recipe that does not suit the network says why."""
        began = time.monotonic()
        folder = variant_folder(self._record.dir, recipe)
        info: dict[str, Any] = {
            "run_id": self._record.run_id,
            "name": self._record.run_id,
            "model": self._record.spec().model.name,
        }
        try:
            made = workshop.make(recipe)
            workshop.write(made, recipe, info, folder)
            engine = Engine(load(folder), threads=1)
            answers = self._judge.answers(engine)
            found = self._judge.quality(answers, self._expected)
            info["metrics"] = {f"test_{self._table.metric}": found.metric, "agreement": found.agreement}
            if found.f1 is not None:
                info["metrics"]["test_f1_macro"] = found.f1
            workshop.write(made, recipe, info, folder)
            row = self._measured(recipe, load(folder), answers, time.monotonic() - began)
            row = replace(row, zeros=workshop.zeros(recipe))
        except LeptonError as error:
            traceback.print_exc()
            return Variant(recipe, problem=str(error), seconds=round(time.monotonic() - began, 3))
        self._engines[recipe] = engine
        return row

    def _measured(self, name: str, bundle: Bundle, answers: measure.Said, seconds: float) -> Variant:
        found = self._judge.quality(answers, self._expected)
        return Variant(
            name,
            found.metric,
            found.f1,
            found.agreement,
            bundle.num_bytes,
            round(self._table.safetensors_bytes / bundle.num_bytes, 2),
            memory_bytes=measure.memory_bytes(bundle_folder_of(self._record, name)),
            seconds=round(seconds, 3),
        )

    def _time(self) -> None:
        """Times all variants and eager torch in turns."""
        self._table.step = "comparing latencies"
        write_table(self._record.dir, self._table)
        torch_name = "eager torch"
        runs: dict[str, Callable[[Inputs], object]] = {name: engine.run for name, engine in self._engines.items()}
        found = measure.latencies({**runs, torch_name: _eager(self._network, self._dataset.task)}, self._judge.sample)
        self._table.torch_ms = _milliseconds(found[torch_name][1])
        for at, row in enumerate(self._table.rows):
            if row.name in found:
                by_size = {str(size): _milliseconds(latency) for size, latency in found[row.name].items()}
                faster = round(self._table.torch_ms[0] / max(1e-6, by_size["1"][0]), 2)
                self._table.rows[at] = replace(row, latency_ms=by_size, times_faster=faster)


def bundle_folder_of(record: RunRecord, name: str) -> Any:
    """Where the bundle of a variant lies, whether the table lists it yet or not."""
    return bundle_folder(record.dir, name) if name == ORIGINAL else variant_folder(record.dir, name)


def _suits_tiles(record: RunRecord) -> bool:
    """Whether the run was trained in bfloat16, and this processor is fast with it: what training found out holds."""
    started = next((event for event in record.events() if event["type"] == "RunStarted"), {})
    return started.get("precision") == "bfloat16" and bfloat16_unit() is not None


def _eager(network: torch.nn.Module, task: str) -> Callable[[Inputs], object]:
    """The original network as torch runs it without any help, on one thread as the engines do."""
    module = answering(network, task)

    def run(inputs: Inputs) -> object:
        with torch.inference_mode():
            return module(*map(torch.from_numpy, inputs)).numpy()

    torch.set_num_threads(1)
    return run


def _milliseconds(latency: measure.Latency) -> list[float]:
    return [round(seconds * 1000, 4) for seconds in (latency.median, latency.low, latency.high)]


def _whoami() -> dict[str, Any]:
    return dict(identity() or {})
