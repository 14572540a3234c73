"""A clock for tests: it stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class StillClock:
    """Shows one moment, and later ones only after `advance`."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move on and return the new moment."""
        self._now += timedelta(seconds=seconds)
        return self._now
