"""Who may run now, who waits, and who is told to come back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from statistics import fmean

from tmws.domain.errors import LimitExceeded, SandboxUnavailable

_REMEMBERED_RUNS = 16


class Admission:
    """Lets `places` run at once and `waiting` more stand in line.

    Queueing beats over-committing: on two processors eight checks at once take
    six times as long as eight checks two by two.
    """

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._waiting_limit = waiting
        self._free = asyncio.Semaphore(places)
        self._waiting = 0
        self._running = 0
        self._durations: deque[float] = deque([1.0], maxlen=_REMEMBERED_RUNS)

    @property
    def waiting(self) -> int:
        """How many stand in line now."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many hold a place now."""
        return self._running

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            LimitExceeded: the line is full; the message says when to come back.
        """
        if self._free.locked() and self._waiting >= self._waiting_limit:
            seconds = self._seconds_until_free()
            raise LimitExceeded(
                f"The sandbox is busy: {self._places} checks are running and {self._waiting} "
                f"are waiting. Retry after {seconds} s.",
                retryable=True,
                retry_after_seconds=seconds,
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        began = time.monotonic()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._durations.append(time.monotonic() - began)
            self._free.release()

    def _seconds_until_free(self) -> int:
        return max(1, math.ceil(fmean(self._durations) * self._waiting / self._places))


class Breaker:
    """Stops asking an engine that keeps failing, and tries again now and then.

    Args:
        failures: within `window_seconds`, after which it opens.
        rest_seconds: how long it stays open before one call may try.
        now: the monotonic clock.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        window_seconds: float = 30.0,
        rest_seconds: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures: deque[float] = deque(maxlen=failures)
        self._window = window_seconds
        self._rest = rest_seconds
        self._now = now
        self._closed_until = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self._now() < self._closed_until

    def admit(self) -> None:
        """Let the call pass, or refuse it without asking the engine.

        Raises:
            SandboxUnavailable: the engine failed too often just now.
        """
        now = self._now()
        if now < self._closed_until:
            seconds = math.ceil(self._closed_until - now)
            raise SandboxUnavailable(
                "The Docker engine failed repeatedly. Nothing was judged; retry after "
                f"{seconds} s, and see 'tmws doctor'.",
                retry_after_seconds=seconds,
            )
        if self._is_tripped(now):
            # One call tries; the others keep away until it has an answer.
            self._closed_until = now + self._rest

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures.clear()
        self._closed_until = -math.inf

    def failed(self) -> None:
        """Count one failure of the engine."""
        now = self._now()
        self._failures.append(now)
        if self._is_tripped(now):
            self._closed_until = now + self._rest

    def _is_tripped(self, now: float) -> bool:
        full = len(self._failures) == self._failures.maxlen
        return (
            full
            and self._failures[-1] - self._failures[0] <= self._window
            and (now - self._failures[-1] <= self._window)
        )
