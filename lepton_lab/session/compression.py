"""The small variants of a run as a person holds them: a view of the table on disk, and the way to deploy one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lepton_lab.errors import RunError
from lepton_lab.session.shown import Shown
from lepton_lab.session.texts import metric, table
from lepton_lab.session.waiting import ACTIVE, wait_for
from lepton_lab.words import N_, _, say

if TYPE_CHECKING:
    from lepton_lab.compression.record import Table, Variant
    from lepton_lab.session.endpoint import Endpoint
    from lepton_lab.session.run import Run

HEAD = (
    N_("variant"),
    "",
    "F1",
    N_("agrees"),
    N_("on disk"),
    N_("smaller"),
    N_("batch 1"),
    N_("batch 32"),
    N_("than torch"),
    N_("memory"),
    "",
)


class Compression(Shown):
    """Variants of a finished run. Made by `run.compress()` and `run.compression`; made in a process of its own."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    def table(self) -> Table:
        """The table as it stands now, read from the record.

        Raises:
            RunError: If the run was not compressed.
        """
        from lepton_lab.compression.record import read_table

        found = read_table(self.run.record.dir)
        if found is None:
            raise RunError(f"{self.run.id} was not compressed yet; call run.compress().")
        return found

    @property
    def state(self) -> str:
        """starting, running, finished, failed or stopped."""
        return self.table.state

    @property
    def variants(self) -> list[Variant]:
        """The rows of the table, the original first."""
        return self.table.rows

    @property
    def chosen(self) -> str | None:
        """The variant that the target asks for."""
        return self.table.chosen

    def wait(self, timeout: float | None = None, watch: Callable[[Table], None] | None = None) -> Compression:
        """Waits until the table is finished; interrupting the wait leaves the work alone.

        Args:
            timeout: Seconds to wait at most.
            watch: Called with the table now and then.

        Raises:
            RunError: If it failed, or is not finished in time.
        """
        found = wait_for(
            lambda: self.table,
            timeout,
            watch,
            lambda table, within: f"The variants of {self.run.id} are not finished within {within}: {table.step}.",
        )
        if found.state == "failed":
            raise RunError(f"{self.run.id} could not be compressed: {found.message}.")
        return self

    def stop(self) -> Compression:
        """Ends the work; the variants that are made stay."""
        from lepton_lab.compression.record import stop

        stop(self.run.record.dir)
        return self

    def deploy(self, variant: str | None = None, **options: Any) -> Endpoint:
        """Puts a variant online, by default the chosen one; the options are those of `DeploySpec`.

        Raises:
            UnknownName: If there is no such variant.
            EndpointError: If the endpoint cannot start.
        """
        return self.run.deploy(variant=variant or "chosen", **options)

    def to_dict(self) -> dict[str, Any]:
        return self.table.to_dict()

    def __str__(self) -> str:
        found = self.table
        chosen = [_(f"chosen: {found.chosen}")] if found.chosen else []
        return "\n".join([sentence(found), text_table(found), *chosen])


def sentence(found: Table) -> str:
    """Where a compression stands, in one line."""
    if found.state == "failed":
        return _(f"{found.run_id} could not be compressed: {found.message}")
    if found.state in ACTIVE:
        step = say(found.step or "starting")
        return _(f"{found.run_id}: making variants, {found.done_fraction:.0%} done; {step}")
    if found.state == "stopped":
        return _(f"{found.run_id}: stopped with {len(found.rows)} rows")
    return _(f"{found.run_id}: {len(found.rows)} variants on {found.test_rows:,} test rows; {found.reason}")


def text_table(found: Table) -> str:
    """The rows as text."""
    return table(tuple(head_of(found)), [cells(found, row) for row in found.rows])


def head_of(found: Table) -> list[str]:
    """The heads of the columns, in the reader's language."""
    return [metric(found.metric) if name == "" and at == 1 else _(name) for at, name in enumerate(HEAD)]


def cells(found: Table, row: Variant) -> tuple[str, ...]:
    """A row as texts, in the order of `HEAD`."""
    if row.problem:
        return (row.name, *[""] * (len(HEAD) - 2), say(row.problem))
    return (
        row.name,
        f"{row.metric:.4f}",
        "" if row.f1 is None else f"{row.f1:.4f}",
        f"{row.agreement:.2%}",
        size(row.bytes),
        _(f"{row.times_smaller:.1f} x"),
        latency(row, "1"),
        latency(row, "32"),
        _(f"{row.times_faster:.1f} x") if row.times_faster else "",
        size(row.memory_bytes),
        _("chosen") if row.name == found.chosen else "",
    )


def latency(row: Variant, batch: str) -> str:
    """Median and spread of a latency in milliseconds."""
    if batch not in row.latency_ms:
        return ""
    median, low, high = row.latency_ms[batch]
    return f"{median:.3f} ms ({low:.3f}-{high:.3f})"


def size(num_bytes: int) -> str:
    """Bytes in the unit that reads best."""
    if num_bytes >= 1_000_000:
        return f"{num_bytes / 1e6:.1f} MB"
    return f"{num_bytes / 1000:.1f} kB"
