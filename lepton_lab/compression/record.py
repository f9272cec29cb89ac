"""What a compression leaves in its run's folder, readable by every face without torch.

```
runs/<id>/compression/
  spec.json            what was asked
  table.json           how far it is, and the table of variants; written by the worker alone
  variants/<folder>/   a bundle each; the original is the run's own bundle
  compress.log
```
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lepton_lab.errors import EndpointError, RunError, StoreError, UnknownName
from lepton_lab.runs.atomic import read_json, write_json
from lepton_lab.runs.locks import FileLock
from lepton_lab.runs.paths import Store
from lepton_lab.runs.process import alive, identity, spawn_detached, terminate
from lepton_lab.runs.programs import Programs
from lepton_lab.runs.record import RunRecord, list_runs
from lepton_lab.runs.states import RunState
from lepton_lab.specs import CompressSpec
from lepton_lab.specs.compress import normal_recipe

FOLDER = "compression"
LOG = "compress.log"
ORIGINAL = "original"
CHOSEN = "chosen"
State = Literal["starting", "running", "finished", "failed", "stopped"]


@dataclass(frozen=True)
class Variant:
    """One row of the table.

    Attributes:
        name: The recipe ("prune+share"), or "original".
        metric: The task's figure on the test rows: the share of right answers, for a classifier.
        f1: F1 of a classifier, the plain mean over the classes; None for other tasks.
        agreement: Share of the test rows that are answered as the original answers them.
        bytes: Everything that the bundle takes on disk.
        times_smaller: Than the original's weights as float32 safetensors.
        latency_ms: Milliseconds by batch size ("1", "32"): median, 10th and 90th percentile.
        times_faster: Than the original network in eager torch, at batch 1.
        memory_bytes: What loading it and answering 32 rows takes.
        seconds: How long it took to make.
        zeros: Share of zeros among the weights of its kernels and matrices.
        problem: Why there is no such variant; the other fields are 0 then.
    """

    name: str
    metric: float = 0.0
    f1: float | None = None
    agreement: float = 0.0
    bytes: int = 0
    times_smaller: float = 0.0
    latency_ms: dict[str, list[float]] = field(default_factory=dict)
    times_faster: float = 0.0
    memory_bytes: int = 0
    seconds: float = 0.0
    zeros: float = 0.0
    problem: str | None = None

    @property
    def milliseconds(self) -> float:
        """Median latency at batch 1; 0 while it is not measured."""
        return self.latency_ms.get("1", [0.0])[0]


@dataclass
class Table:
    """How far a compression is, and what it has found.

    Attributes:
        run_id: The run that is compressed.
        state: "starting", "running", "finished", "failed" or "stopped".
        step: What is being done, for a person.
        done_fraction: Share of the variants that are made.
        rows: The variants, the original first.
        chosen: The variant that the target asks for.
        reason: Why it is the chosen one, in a sentence.
        safetensors_bytes: The original's weights as float32 safetensors.
        torch_ms: Latency of the original in eager torch at batch 1: median, 10th and 90th percentile.
        test_rows: Rows that the metric was measured on.
        metric: Name of the task's metric.
        higher_is_better: Whether a greater metric is the better one.
        message: Why it failed.
        process: Who works on it.
    """

    run_id: str
    state: State = "starting"
    step: str = ""
    done_fraction: float = 0.0
    rows: list[Variant] = field(default_factory=list)
    chosen: str | None = None
    reason: str = ""
    safetensors_bytes: int = 0
    torch_ms: list[float] = field(default_factory=list)
    test_rows: int = 0
    metric: str = "accuracy"
    higher_is_better: bool = True
    message: str | None = None
    process: dict[str, Any] | None = None

    def row(self, name: str) -> Variant:
        """A variant by its name.

        Raises:
            UnknownName: If there is none, or it could not be made.
        """
        for row in self.rows:
            if row.name == name and row.problem is None:
                return row
        raise UnknownName("variant", name, [row.name for row in self.rows if row.problem is None])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


def folder_of(run_dir: Path) -> Path:
    """Where a run's compression lies."""
    return run_dir / FOLDER


def bundle_folder(run_dir: Path, variant: str) -> Path:
    """Where a variant's bundle lies.

    Args:
        run_dir: The run's folder.
        variant: "original", "chosen", or a recipe.

    Raises:
        EndpointError: If the run has no such variant.
    """
    if variant == ORIGINAL:
        return run_dir / "bundle"
    table = read_table(run_dir)
    if table is None:
        raise EndpointError(f"The run {run_dir.name} has not been compressed; compress it, then deploy a variant.")
    if variant == CHOSEN:
        if table.chosen is None:
            raise EndpointError(f"{run_dir.name} has no chosen variant yet ({table.state}); wait for the table.")
        return bundle_folder(run_dir, table.chosen)
    with contextlib.suppress(ValueError):
        variant = normal_recipe(variant)
    table.row(variant)
    return variant_folder(run_dir, variant)


def variant_folder(run_dir: Path, variant: str) -> Path:
    """The folder of a variant that may be there or not."""
    return folder_of(run_dir) / "variants" / variant.replace("+", "_")


def write_table(run_dir: Path, table: Table) -> None:
    """Replaces the table."""
    write_json(folder_of(run_dir) / "table.json", table.to_dict(), durable=table.state == "finished")


def read_table(run_dir: Path) -> Table | None:
    """The table as it stands; one whose worker has died says so. None where nothing was asked for.

    Raises:
        RunError: If the file is broken.
    """
    path = folder_of(run_dir) / "table.json"
    if not path.exists():
        return None
    try:
        values = read_json(path)
        table = Table(**{**values, "rows": [Variant(**row) for row in values["rows"]]})
    except (StoreError, TypeError, KeyError) as error:
        raise RunError(f"The variants of {run_dir.name} cannot be read ({error}); compress it again.") from None
    if table.state in ("starting", "running") and table.process and not alive(table.process):
        table.state = "failed"
        table.message = f"its worker ended while it was at: {table.step}; compress.log in the run's folder says why"
    return table


@contextlib.contextmanager
def compression_lock(run_dir: Path) -> Iterator[bool]:
    """Holds the right to compress a run; gives whether it could be had."""
    lock = FileLock(folder_of(run_dir) / "worker.lock")
    is_mine = lock.acquire()
    try:
        yield is_mine
    finally:
        if is_mine:
            lock.release()


def request(store: Store, run_id: str, spec: CompressSpec) -> None:
    """Asks for a run's variants; a worker process of its own makes them.

    Raises:
        UnknownName: If there is no such run.
        RunError: If the run has not finished, or is being compressed already.
    """
    run_dir = store.run_dir(run_id)
    if not run_dir.is_dir():
        raise UnknownName("run", run_id, [summary.run_id for summary in list_runs(store)])
    state = RunRecord(store, run_id).summary().state
    if state != RunState.finished:
        raise RunError(f"{run_id} is {state}; let it finish, then compress it.")
    folder = folder_of(run_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    with compression_lock(run_dir) as is_free:
        if not is_free:
            raise RunError(f"{run_id} is being compressed already; wait for it or stop it.")
        write_json(folder / "spec.json", spec.model_dump(mode="json"))
        write_table(run_dir, Table(run_id))
    process = spawn_detached(Programs.from_environment().compress(store, run_id), folder / LOG, cwd=folder)
    with contextlib.suppress(FileNotFoundError):
        _note_starter(run_dir, dict(identity(process.pid) or {}))


def _note_starter(run_dir: Path, process: dict[str, Any]) -> None:
    """Notes who will work, until the worker itself does; its end is then seen even if it never begins."""
    table = read_table(run_dir)
    if table is not None and table.state == "starting" and process:
        table.process = process
        write_table(run_dir, table)


def stop(run_dir: Path) -> None:
    """Ends the worker of a compression; the variants that are made stay."""
    table = read_table(run_dir)
    if table is None or table.state not in ("starting", "running") or not table.process:
        return
    terminate(table.process, hard=True)
    table.state, table.step = "stopped", ""
    write_table(run_dir, table)


def choose(table: Table, spec: CompressSpec) -> tuple[str, str]:
    """The variant that a spec asks for, and why.

    Args:
        table: Its first row is the original.
        spec: Its target and its largest loss.

    Returns:
        The variant's name, and a sentence.
    """
    allowed = [row for row in table.rows if row.problem is None and loss_points(table, row) <= spec.max_loss + 1e-9]
    keys: dict[str, Callable[[Variant], tuple[float, float]]] = {
        "smallest": lambda row: (row.bytes, row.milliseconds),
        "fastest": lambda row: (row.milliseconds, row.bytes),
        "most_accurate": lambda row: (loss_points(table, row), row.bytes),
    }
    found = min(allowed, key=keys[spec.target])
    lost = loss_points(table, found)
    said = "no loss" if lost <= 0 else f"a loss of {lost:.2f} points"
    wanted = spec.target.replace("_", " ")
    return found.name, f"the {wanted} of {len(allowed)} variants that lose at most {spec.max_loss:g} points ({said})"


def loss_points(table: Table, row: Variant) -> float:
    """Points that a variant loses: of a share such as accuracy percentage points, else percent of the original."""
    return points_lost(table.rows[0].metric, row.metric, higher_is_better=table.higher_is_better)


def points_lost(original: float, value: float, *, higher_is_better: bool) -> float:
    """The same for two figures."""
    lost = original - value if higher_is_better else value - original
    is_share = higher_is_better and 0 <= original <= 1
    return 100 * (lost if is_share else lost / max(abs(original), 1e-12))
