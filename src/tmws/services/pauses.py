"""How long something that failed is left alone: twice as long after each failure in a row."""

from __future__ import annotations

import asyncio

import structlog

from tmws.domain.errors import TmwsError

_log = structlog.get_logger()


class Pause:
    """Spares callers the wait for what has just failed."""

    def __init__(self, what: str, *, first_seconds: float, longest_seconds: float) -> None:
        """Begin without a pause; `what` stands in the log."""
        self._what = what
        self._first, self._longest = first_seconds, longest_seconds
        self._seconds = first_seconds
        self._reason: TmwsError | None = None
        self._until = 0.0

    def require_over(self) -> None:
        """Return unless the pause lasts.

        Raises:
            TmwsError: what it failed with.
        """
        if self._reason is not None and self._lasts():
            raise self._reason

    def begin(self, reason: TmwsError) -> None:
        """Start a pause, unless one lasts: of many that fail together each would double it."""
        if self._lasts():
            return
        # Agents read the message; what a server or a file said stays here.
        cause = str(reason.__cause__) if reason.__cause__ else None
        _log.warning(
            f"{self._what}_unavailable", reason=reason.message, cause=cause, pause=self._seconds
        )
        self._reason = reason
        self._until = asyncio.get_running_loop().time() + self._seconds
        self._seconds = min(2 * self._seconds, self._longest)

    def end(self) -> None:
        """It works; the next failure starts from the shortest pause."""
        self._reason = None
        self._until = 0.0
        self._seconds = self._first

    def _lasts(self) -> bool:
        return asyncio.get_running_loop().time() < self._until
