"""What a benchmark gets, and what it gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.performance.floors import Floors
from tests.performance.measure import Figure


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of all benchmarks.

    Attributes:
        folder: empty, removed afterwards.
        floors: what the machine itself takes.
    """

    folder: Path
    floors: Floors


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its floor and its promise.

    Attributes:
        floor: what the machine takes for the same, None where it takes nothing.
        promised_p95: seconds, None where nothing is promised.
        promised_ratio: p50 over the floor's p50, None where nothing is promised.
    """

    figure: Figure
    floor: Figure | None = None
    promised_p95: float | None = None
    promised_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.figure.p50 / self.floor.p50 if self.floor else None

    @property
    def kept(self) -> bool | None:
        """Whether every promise was kept; None where there is none."""
        promises = []
        if self.promised_p95 is not None:
            promises.append(self.figure.p95 <= self.promised_p95)
        if self.promised_ratio is not None and self.ratio is not None:
            promises.append(self.ratio <= self.promised_ratio)
        return all(promises) if promises else None


Benchmark = Callable[[Bench], AsyncIterator[Row]]
"""Each `bench_*.py` beside this file has one, named `rows`."""
