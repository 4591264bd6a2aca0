"""What the collector counts, in Prometheus's text format. Every label has a fixed set of values."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_HELP = {
    "requests_total": ("counter", "Requests by path and status."),
    "events_total": ("counter", "Feedback events by what became of them."),
    "spans_total": ("counter", "Spans by what became of them."),
    "body_bytes_total": ("counter", "Bytes of bodies, as they came."),
    "limited_total": ("counter", "Requests that were told to come back, by the limit they met."),
    "lines_total": ("counter", "Lines that are on the disk."),
    "sync_failures_total": ("counter", "Group commits that the disk did not take."),
    "held_bytes": ("gauge", "Bytes in memory: bodies under way and lines that wait."),
    "sync_seconds": ("histogram", "Seconds from the start of a group commit until it is durable."),
}
_PREFIX = "gitloop_collector_"

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counts: `add` and `render` from the event loop, the rest from the threads that commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._n_lines = self._n_failures = 0
        self._buckets = [0] * (len(_BOUNDS_S) + 1)
        self._sync_s = 0.0
        self._is_failing = False
        self.held_bytes = 0

    @property
    def is_failing(self) -> bool:
        """Whether the last group commit did not reach the disk."""
        return self._is_failing

    def add(self, name: str, n: int = 1, **labels: str) -> None:
        """Count `n` more; the labels of a name come in one order."""
        self._counts[name, tuple(labels.items())] += n

    def synced(self, n_lines: int, seconds: float) -> None:
        """Count a group commit that is durable."""
        with self._lock:
            self._n_lines += n_lines
            self._sync_s += seconds
            self._is_failing = False
            place = next((n for n, bound in enumerate(_BOUNDS_S) if seconds <= bound), -1)
            self._buckets[place] += 1

    def failed(self) -> None:
        """Count a group commit that is not."""
        with self._lock:
            self._n_failures += 1
            self._is_failing = True

    def render(self) -> str:
        """Everything that was counted, as Prometheus reads it."""
        with self._lock:
            self._counts["lines_total", ()] = self._n_lines
            self._counts["sync_failures_total", ()] = self._n_failures
            return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        for name, (kind, help_text) in _HELP.items():
            yield f"# HELP {_PREFIX}{name} {help_text}"
            yield f"# TYPE {_PREFIX}{name} {kind}"
            if name == "held_bytes":
                yield f"{_PREFIX}{name} {self.held_bytes}"
            elif name == "sync_seconds":
                yield from self._histogram(f"{_PREFIX}{name}")
            else:
                for (counted, labels), n in sorted(self._counts.items()):
                    if counted == name:
                        shown = ",".join(f'{key}="{value}"' for key, value in labels)
                        yield f"{_PREFIX}{name}{{{shown}}} {n}" if shown else f"{_PREFIX}{name} {n}"

    def _histogram(self, name: str) -> Iterator[str]:
        n = 0
        for bound, here in zip((*_BOUNDS_S, "+Inf"), self._buckets, strict=True):
            n += here
            yield f'{name}_bucket{{le="{bound}"}} {n}'
        yield f"{name}_sum {self._sync_s:.6f}"
        yield f"{name}_count {n}"
