"""When everything is fitted again without anybody asking for it."""

from __future__ import annotations

from datetime import datetime, timedelta

FITTED_EVERY = timedelta(days=1)
QUIET = timedelta(minutes=5)
"""A fit keeps verdicts waiting, so it waits until none came for so long, but not for ever."""


def is_due(*, fitted: datetime | None, first: datetime, newest: datetime, at: datetime) -> bool:
    """Say whether it is time for a fit, seen from the last one.

    Args:
        fitted: when everything was fitted last, None for never.
            A time to come, because the clock was set back since, tells nothing.
        first, newest: when the first and the newest verdict came that no fit has seen.
    """
    known = first if fitted is None or fitted > at else fitted
    if at - known < FITTED_EVERY:
        return False
    return at - newest >= QUIET or at - first >= FITTED_EVERY
