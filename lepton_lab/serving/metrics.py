"""What the server measures of itself, in Prometheus' text format and in `stats.json`."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from typing import Any

LATENCY_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BOUNDS_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
RECENT = 2048
_SINGLES = ("compute_seconds", "rejected", "rate_limited")


class Histogram:
    """Counts of observations by upper bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Counts one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, counts: list[int], total: float) -> None:
        """Counts what another one has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total

    def lines(self, name: str, labels: str = "") -> list[str]:
        """The histogram in Prometheus' text format."""
        comma = labels + "," if labels else ""
        braces = "{" + labels + "}" if labels else ""
        found, running = [], 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            running += count
            found.append(f'{name}_bucket{{{comma}le="{bound}"}} {running}')
        return [*found, f"{name}_sum{braces} {self.total:.6f}", f"{name}_count{braces} {running}"]


class Metrics:
    """All counters of one server process."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.latency: dict[str, Histogram] = {}
        self.batch_rows = Histogram(BATCH_BOUNDS_ROWS)
        self.compute_seconds = 0.0
        self.rejected = 0
        self.swaps = 0
        self.rate_limited = 0
        self.by_version: Counter[tuple[int, str]] = Counter()
        self.shadow: Counter[str] = Counter()
        self._recent: deque[float] = deque(maxlen=RECENT)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Counts one answer. `route` is the route's pattern, never the path that was asked for."""
        self.requests[route, status] += 1
        self.latency.setdefault(route, Histogram(LATENCY_BOUNDS_SECONDS)).observe(seconds)
        if status == 200 and route.endswith(("/infer", "/predict")):
            self._recent.append(seconds)

    def observe_batch(self, num_rows: int, seconds: float) -> None:
        """Counts one run of the network."""
        self.batch_rows.observe(num_rows)
        self.compute_seconds += seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `add` takes them."""
        return {
            "requests": [[route, status, count] for (route, status), count in self.requests.items()],
            "latency": {route: [each.counts, each.total] for route, each in self.latency.items()},
            "batch_rows": [self.batch_rows.counts, self.batch_rows.total],
            "by_version": [[number, outcome, count] for (number, outcome), count in self.by_version.items()],
            "shadow": dict(self.shadow),
            "recent": [round(seconds, 6) for seconds in self._recent],
            **{name: getattr(self, name) for name in _SINGLES},
        }

    def add(self, other: dict[str, Any]) -> None:
        """Adds what another process of the endpoint has counted, as its `to_dict` gives it."""
        for route, status, count in other["requests"]:
            self.requests[route, status] += count
        for route, (counts, total) in other["latency"].items():
            self.latency.setdefault(route, Histogram(LATENCY_BOUNDS_SECONDS)).add(counts, total)
        self.batch_rows.add(*other["batch_rows"])
        for number, outcome, count in other["by_version"]:
            self.by_version[number, outcome] += count
        self.shadow.update(other["shadow"])
        self._recent = deque([*self._recent, *other["recent"]])
        for name in _SINGLES:
            setattr(self, name, getattr(self, name) + other[name])

    def copy(self) -> Metrics:
        """The same figures, to be added to."""
        fresh = Metrics()
        fresh.add(self.to_dict())
        fresh.swaps = self.swaps
        return fresh

    def p95_ms(self) -> float | None:
        """95th percentile of the recent predictions' latency, in milliseconds."""
        if not self._recent:
            return None
        ordered = sorted(self._recent)
        return round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] * 1000, 3)

    def render(self, *, in_flight: int, version: int, uptime_seconds: float) -> str:
        """Everything as one text page."""
        lines = _family("lepton_requests_total", "counter", "Answers by route and status.")
        lines += [
            f'lepton_requests_total{{route="{route}",status="{status}"}} {count}'
            for (route, status), count in sorted(self.requests.items())
        ]
        lines += _family("lepton_request_seconds", "histogram", "Time from the request's head to the last byte.")
        for route, histogram in sorted(self.latency.items()):
            lines += histogram.lines("lepton_request_seconds", f'route="{route}"')
        lines += _family("lepton_batch_rows", "histogram", "Rows that went through the network together.")
        lines += self.batch_rows.lines("lepton_batch_rows")
        lines += _family("lepton_version_requests_total", "counter", "Predictions by version and how they ended.")
        lines += [
            f'lepton_version_requests_total{{version="{number}",outcome="{outcome}"}} {count}'
            for (number, outcome), count in sorted(self.by_version.items())
        ]
        lines += _family("lepton_shadow_total", "counter", "Copies of requests, by how the shadow's answer compared.")
        lines += [f'lepton_shadow_total{{outcome="{word}"}} {count}' for word, count in sorted(self.shadow.items())]
        singles: list[tuple[str, str, float, str]] = [
            ("lepton_compute_seconds_total", "counter", self.compute_seconds, "Time spent in the network."),
            ("lepton_rejected_total", "counter", self.rejected, "Requests sent away because the queue was full."),
            ("lepton_rate_limited_total", "counter", self.rate_limited, "Requests beyond their key's rate."),
            ("lepton_version_changes_total", "counter", self.swaps, "Versions taken into service while running."),
            ("lepton_requests_in_flight", "gauge", in_flight, "Requests that are being read, wait or run."),
            ("lepton_active_version", "gauge", version, "Number of the version that answers."),
            ("lepton_uptime_seconds", "gauge", round(uptime_seconds, 3), "Time since the server was ready."),
        ]
        for name, kind, value, text in singles:
            lines += [*_family(name, kind, text), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str) -> list[str]:
    """The two lines that open a metric."""
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
