"""The table of `make faults`: of each kind of fault how often it was tried, what was lost, what work was repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Line:
    """One kind of fault."""

    tried: int = 0
    lost: int = 0
    repeated: float = 0.0
    """The most work that one fault had repeated, in checkpoint intervals."""


@dataclass
class Ledger:
    """All that was tried in a session of tests."""

    lines: dict[str, Line] = field(default_factory=dict)

    def add(self, fault: str, tried: int = 1, lost: int = 0, repeated: float = 0.0) -> None:
        """Counts faults; `lost` are runs, events or checkpoints that were said to be safe and were not."""
        line = self.lines.setdefault(fault, Line())
        line.tried += tried
        line.lost += lost
        line.repeated = max(line.repeated, repeated)

    def table(self) -> str:
        """The table as text."""
        wide = max([len("fault"), *map(len, self.lines)])
        head = f"{'fault':{wide}}  {'tried':>6}  {'lost':>5}  repeated work (checkpoint intervals)"
        rows = [f"{name:{wide}}  {x.tried:6}  {x.lost:5}  {x.repeated:.2f}" for name, x in sorted(self.lines.items())]
        total = Line(sum(x.tried for x in self.lines.values()), sum(x.lost for x in self.lines.values()))
        worst = max((x.repeated for x in self.lines.values()), default=0.0)
        return "\n".join([head, *rows, f"{'all':{wide}}  {total.tried:6}  {total.lost:5}  {worst:.2f}"])

    def report(self, figure: Callable[..., None]) -> None:
        """The table's last row as figures with their goals."""
        lines = self.lines.values()
        figure("runs", "faults tried, of all kinds", [sum(line.tried for line in lines)], ">= 1000")
        figure("runs", "runs, events or checkpoints lost to a fault", [sum(line.lost for line in lines)], "== 0")
        worst = max((line.repeated for line in lines), default=0.0)
        figure("runs", "work repeated after a fault, in checkpoint intervals, at most", [worst], "<= 1")
