"""A curve in miniature: some dozens of points that stand for all."""

from __future__ import annotations

_MOST = 128


class Spark:
    """Points of a curve by step, thinned out evenly as they become many.

    Args:
        points: Pairs of step and value to begin with.
    """

    def __init__(self, points: list[list[float]] | None = None) -> None:
        self.points: list[list[float]] = points or []

    def __len__(self) -> int:
        return len(self.points)

    def add(self, step: float, value: float | None) -> None:
        """Adds the newest point."""
        if value is None:
            return
        self.points.append([step, round(value, 5)])
        if len(self.points) > _MOST:
            self.points = [*self.points[:-1:2], self.points[-1]]

    def truncate(self, step: float) -> None:
        """Drops the points after a step."""
        self.points = [point for point in self.points if point[0] <= step]

    def values(self, most: int) -> list[float]:
        """So many values at most, evenly chosen, the first and the last among them."""
        count = len(self.points)
        if count <= most:
            return [value for _, value in self.points]
        return [self.points[round(i * (count - 1) / (most - 1))][1] for i in range(most)]
