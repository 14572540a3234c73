"""How long a step takes, as figures that can be compared."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import quantiles

Step = Callable[[], object | Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Figure:
    """The times of one step, repeated.

    Attributes:
        seconds: one time per repetition, in the order they were taken.
    """

    name: str
    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        return self._percentile(50)

    @property
    def p95(self) -> float:
        return self._percentile(95)

    def _percentile(self, rank: int) -> float:
        return quantiles(self.seconds, n=100, method="inclusive")[rank - 1]


async def measure(
    name: str,
    step: Step,
    *,
    repeats: int,
    warm_up: int = 3,
    batch: int = 1,
    between: Step | None = None,
) -> Figure:
    """Time a step over and over.

    Args:
        step: plain or async; called without arguments.
        warm_up: calls before the clock runs.
        batch: calls per reading, for steps too short for the clock; each reading is
            divided by it.
        between: called before each reading, outside the clock.
    """
    for _ in range(warm_up):
        await _done(step)
    seconds = []
    for _ in range(repeats):
        if between is not None:
            await _done(between)
        began = time.perf_counter()
        for _ in range(batch):
            await _done(step)
        seconds.append((time.perf_counter() - began) / batch)
    return Figure(name, tuple(seconds))


async def _done(step: Step) -> None:
    outcome = step()
    if inspect.isawaitable(outcome):
        await outcome
